"""Passwords are hashed in threads, a few at once, so that no event loop waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from drawloom.errors import AccessRefused, FailureKind

P = ParamSpec("P")
T = TypeVar("T")

_AT_ONCE: Final = 2
_WAITING: Final = 32


class Aside:
    """Runs what hashes: *at_once* in threads (19 MiB each), *waiting* behind them, no more."""

    def __init__(self, at_once: int = _AT_ONCE, waiting: int = _WAITING) -> None:
        self._turns = asyncio.Semaphore(at_once)
        self._most = at_once + waiting
        self._inside = 0

    async def run(self, act: Callable[P, T], /, *given: P.args, **named: P.kwargs) -> T:
        """`act(*given, **named)` in a thread: `await aside.run(access.logins.login, …)`.

        Raises what it raises, and `AccessRefused` (throttled) where too many wait.
        """
        if self._inside >= self._most:
            raise AccessRefused(
                FailureKind.THROTTLED, "busy", "too many people are signing in; try again", 1.0
            )
        self._inside += 1
        try:
            async with self._turns:
                work = asyncio.ensure_future(asyncio.to_thread(act, *given, **named))
                return await _finished(work)
        finally:
            self._inside -= 1


async def _finished(work: asyncio.Future[T]) -> T:
    """What came of it. Who is cancelled waits for the thread, which cannot be stopped."""
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        work.exception()  # looked at: nobody else will
        raise
