"""Deadlines of many calls at little cost: most calls end long before theirs.

A timer per call costs the event loop a heap entry that is almost never used.
Far deadlines share buckets of a quarter of a second, and one timer; near ones,
where that would be felt, have a timer of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

_WIDTH = 0.25  # seconds
_NEAR = 5.0  # seconds


class Deadlines(Generic[T]):
    """Calls `expire(thing)` for each thing that is not released in time (at most 0.25 s late)."""

    def __init__(self, expire: Callable[[T], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._expire = expire
        self._buckets: dict[int, set[T]] = {}
        self._tick: asyncio.TimerHandle | None = None

    def hold(self, thing: T, seconds: float) -> asyncio.TimerHandle | set[T]:
        """Begin a deadline; what is given back ends it, through `release`."""
        if seconds < _NEAR:
            return self._loop.call_later(seconds, self._expire, thing)
        number = int((self._loop.time() + seconds) / _WIDTH) + 1
        bucket = self._buckets.get(number)
        if bucket is None:
            bucket = self._buckets[number] = set()
            if self._tick is None:
                self._tick = self._loop.call_later(_WIDTH, self._ticked)
        bucket.add(thing)
        return bucket

    def release(self, thing: T, held: asyncio.TimerHandle | set[T]) -> None:
        """End a deadline: the thing came in time."""
        if type(held) is set:
            held.discard(thing)
            if not held:
                held.clear()  # it lives until its time comes, and would keep the room it grew
        else:
            held.cancel()  # type: ignore[union-attr]

    def _ticked(self) -> None:
        present = int(self._loop.time() / _WIDTH)
        self._tick = None
        for number in [n for n in self._buckets if n <= present]:
            for thing in list(self._buckets.pop(number)):
                self._expire(thing)
        if self._buckets:
            self._tick = self._loop.call_later(_WIDTH, self._ticked)

    def stop(self) -> None:
        """Forget all deadlines."""
        self._buckets.clear()
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
