"""A deadline for each statement, at a fraction of the cost of `asyncio.timeout`.

All may take equally long, so that the one which began first is the first whose time
is over: one timer does for all of them.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any


class Patience:
    """Raises `TimeoutError` out of a `with` that is not left after so many seconds.

    What is waited for in it is cancelled. A task has one such `with` at a time.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        # Of each task that is inside: until when, and how often it was cancelled before.
        self._inside: dict[asyncio.Task[Any], tuple[float, int]] = {}
        self._over: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None and task not in self._inside
        until = loop.time() + self._seconds
        self._inside[task] = (until, task.cancelling())
        if self._timer is None:
            self._timer = loop.call_at(until, self._look)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        _, cancelled = self._inside.pop(task)
        if task in self._over:
            self._over.discard(task)
            # Somebody else may have cancelled it, too: then it is cancelled.
            if task.uncancel() <= cancelled and kind is asyncio.CancelledError:
                raise TimeoutError from exc

    def close(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        for task, (until, _) in self._inside.items():
            if until > loop.time():
                self._timer = loop.call_at(until, self._look)
                return
            if task not in self._over:
                self._over.add(task)
                task.cancel()
