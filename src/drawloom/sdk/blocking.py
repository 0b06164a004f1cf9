"""Contexts that block (a file that is opened, or synced to disk), off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any, TypeVar

T = TypeVar("T")


@asynccontextmanager
async def in_thread(manager: AbstractContextManager[T]) -> AsyncIterator[T]:
    """Enter and leave *manager* in a thread; what the block raises goes through it."""
    inner = await _entered(manager)
    try:
        yield inner
    except BaseException as exc:
        await asyncio.to_thread(_undone, manager, exc)
        raise
    else:
        await asyncio.to_thread(manager.__exit__, None, None, None)


async def _entered(manager: AbstractContextManager[T]) -> T:
    """Its thread goes on where this is cancelled meanwhile: what it opened is closed again."""
    entering = asyncio.ensure_future(asyncio.to_thread(manager.__enter__))
    try:
        return await asyncio.shield(entering)
    except asyncio.CancelledError as exc:
        await asyncio.wait([entering])
        if entering.exception() is None:
            await asyncio.to_thread(_undone, manager, exc)
        raise


def _undone(manager: AbstractContextManager[Any], exc: BaseException) -> None:
    # Its own frames end here: a StopIteration or a cancellation does not cross a thread.
    try:
        manager.__exit__(type(exc), exc, exc.__traceback__)
    except BaseException as again:
        if again is not exc:
            raise
