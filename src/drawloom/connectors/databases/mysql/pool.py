"""A pool of connections: as many as are allowed, the freshest first, none too old.

The drivers' own pools hold everybody up while one connects, know no lifetime, and
differ; this one does the same for both.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True, eq=False)
class Pooled:
    """A connection, when it was made, and when it was given back (monotonic seconds)."""

    connection: Any
    made: float = field(default_factory=time.monotonic)
    idle_since: float = 0.0


class Pool:
    """Connections of one server. `usable` tells whether one still stands."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Any]],
        usable: Callable[[Any], bool],
        *,
        most: int,
        kept: int,
        lifetime: float,
        idle_timeout: float,
    ) -> None:
        self._connect = connect
        self._usable = usable
        self._places = asyncio.Semaphore(most)
        self._free: deque[Pooled] = deque()
        self._taken: set[Pooled] = set()
        self._kept, self._lifetime, self._idle_timeout = kept, lifetime, idle_timeout
        self._nobody_left = asyncio.Event()

    @property
    def is_ready(self) -> bool:
        """Whether nobody has to be waited for, and a connection is free."""
        return bool(self._free) and not self._places.locked()

    async def acquire(self) -> Pooled:
        """A connection that stands, made now if none is free. Waits for a place without end."""
        await self._places.acquire()
        try:
            one = self._standing() or Pooled(await self._connect())
        except BaseException:
            self._places.release()
            raise
        self._taken.add(one)
        return one

    def release(self, one: Pooled, *, keep: bool) -> None:
        """Give *one* back; unless *keep*, it is closed."""
        self._taken.discard(one)
        one.idle_since = time.monotonic()
        if keep and self._young(one) and self._usable(one.connection):
            self._free.append(one)
        else:
            one.connection.close()
        self._let_go_of_the_idle()
        self._places.release()
        if not self._taken:
            self._nobody_left.set()

    async def close(self, patience: float) -> None:
        """Close every connection, after *patience* seconds for what still runs."""
        self._lifetime = 0.0  # what comes back is not kept
        if self._taken:
            self._nobody_left.clear()
            try:
                await asyncio.wait_for(self._nobody_left.wait(), patience)
            except TimeoutError:
                for one in self._taken:
                    one.connection.close()
        for one in self._free:
            one.connection.close()
        self._free.clear()

    def _standing(self) -> Pooled | None:
        while self._free:
            one = self._free.pop()
            if self._young(one) and self._usable(one.connection):
                return one
            one.connection.close()
        return None

    def _young(self, one: Pooled) -> bool:
        return time.monotonic() - one.made < self._lifetime

    def _let_go_of_the_idle(self) -> None:
        """The oldest stand on the left. Looked at when one comes back: no task waits for it."""
        ended = time.monotonic() - self._idle_timeout
        while len(self._free) + len(self._taken) > self._kept and self._free:
            if self._free[0].idle_since > ended:
                return
            self._free.popleft().connection.close()
