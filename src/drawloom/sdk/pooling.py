"""A pool of connections: the freshest first, none that is old or broken, and a deadline to get one.

For drivers that have no pool of their own, or one without a lifetime, a deadline or a check
before use. It belongs to the event loop on which it is first used.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

from drawloom.errors import Failure, FailureKind, ToolError

C = TypeVar("C")

# A connection that lay this long, in seconds, is asked whether it still answers. One whose
# server has ended is known as closed without that; one behind a silent firewall is not.
QUIET = 5.0
# Seconds between two reports of a pool's state to who watches it.
REPORT = 0.1


class PoolState(NamedTuple):
    """Connections that are open, those of them that are free, and calls that wait for one."""

    size: int
    idle: int
    waiting: int


@runtime_checkable
class Watched(Protocol):
    """What a client has as its attribute `pool`, for its state to be told to who watches."""

    @property
    def most(self) -> int:
        """Connections at most."""

    def watch(self, told: Callable[[PoolState], None]) -> None:
        """Have *told* called with the state, now and after changes."""


class Limits(Protocol):
    """The settings of a pool; a connector's settings have them under these names."""

    @property
    def min_connections(self) -> int:
        """Connections that are opened at the first use, and that `idle_timeout` spares."""

    @property
    def max_connections(self) -> int:
        """Connections at most."""

    @property
    def lifetime(self) -> float:
        """Seconds after which a connection is replaced."""

    @property
    def idle_timeout(self) -> float:
        """Seconds after which an unused connection is closed."""

    @property
    def acquire_timeout(self) -> float:
        """Seconds to wait for a free connection."""

    @property
    def connect_timeout(self) -> float:
        """Seconds to reach the server."""


class Server(Protocol[C]):
    """What a pool connects to."""

    @property
    def place(self) -> str:
        """Host and port, for messages."""

    async def connect(self) -> C:
        """A new connection, ready for use."""

    def stands(self, connection: C, lay: float) -> bool:
        """Whether nothing was heard of its end. Asks nobody. *lay*: seconds that it lay unused."""

    async def answers(self, connection: C) -> bool:
        """Whether the server still answers on it. Must not raise for a connection that is broken."""

    async def close(self, connection: C) -> None:
        """Take leave of the server, in good order. Must end soon, and must not raise."""

    def drop(self, connection: C) -> None:
        """Close it without waiting. What is under way on it is lost."""

    def failure(self, exc: Exception) -> Failure:
        """Why it could not be reached, in words that name the place."""


class Places:
    """So many places. Who comes when all are taken waits in turn, for so many seconds at most.

    As a semaphore with a timeout, but all who wait share one timer: they wait equally long,
    so the first in the queue is the first whose time is over. *full* is what is raised then.
    """

    def __init__(self, most: int, patience: float, full: Callable[[], Exception]) -> None:
        self.waiting = 0
        self.watch: Callable[[], None] | None = None  # told when somebody waits, or nobody more
        self._free = most  # while there are some, nobody waits
        self._patience = patience
        self._full = full
        self._queue: deque[tuple[asyncio.Future[None], float]] = deque()  # and the deadlines
        self._timer: asyncio.TimerHandle | None = None

    def take(self) -> bool:
        """Take a place if there is one."""
        if self._free:
            self._free -= 1
            return True
        return False

    async def turn(self) -> None:
        """Wait for a place, which whoever leaves one hands to the first in the queue."""
        loop = asyncio.get_running_loop()
        place = loop.create_future()
        self._queue.append((place, loop.time() + self._patience))
        if self._timer is None:
            self._timer = loop.call_at(self._queue[0][1], self._expire)
        self.waiting += 1
        if self.waiting == 1 and self.watch is not None:
            self.watch()
        try:
            await place
        except BaseException:
            if place.done() and not place.cancelled() and place.exception() is None:
                self.leave()  # it came just as we were cancelled
            raise
        finally:
            self.waiting -= 1
            if not self.waiting and self.watch is not None:
                self.watch()

    def leave(self) -> None:
        """Give a place back."""
        while self._queue:
            place, _ = self._queue.popleft()
            if not place.done():
                place.set_result(None)
                return
        self._free += 1

    def stop(self) -> None:
        """End the timer."""
        if self._timer is not None:
            self._timer.cancel()

    def _expire(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        while self._queue:
            place, deadline = self._queue[0]
            if not place.done() and deadline > loop.time():
                self._timer = loop.call_at(deadline, self._expire)
                return
            self._queue.popleft()
            if not place.done():
                place.set_exception(self._full())


class Reports:
    """Tells who watches how a pool stands, after changes, and a few times a second at most."""

    def __init__(self, state: Callable[[], PoolState]) -> None:
        self._state = state
        self._told: Callable[[PoolState], None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._reported: PoolState | None = None

    def watch(self, told: Callable[[PoolState], None]) -> None:
        """Have *told* called with the state: now, and after changes."""
        self._told = told
        self.changed()

    def changed(self) -> None:
        """Say that the state may be another now."""
        if self._told is not None and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(REPORT, self._tell)

    def stop(self) -> None:
        """Tell no more."""
        self._told = None
        if self._timer is not None:
            self._timer.cancel()

    def _tell(self) -> None:
        self._timer = None
        state = self._state()
        if self._told is not None and state != self._reported:
            self._reported = state
            self._told(state)


@dataclass(slots=True, eq=False)
class Pooled(Generic[C]):
    """A connection, when it was made, and when it was last given back (monotonic seconds)."""

    connection: C
    made: float
    used: float


class Pool(Generic[C]):
    """Up to `max_connections` of them. Who comes when all are taken waits in turn."""

    def __init__(self, server: Server[C], limits: Limits) -> None:
        self._server = server
        self._limits = limits
        self._most = max(limits.max_connections, limits.min_connections)
        self._places = Places(self._most, limits.acquire_timeout, self._full)
        self._free: deque[Pooled[C]] = deque()  # the right one was used last
        self._taken: set[Pooled[C]] = set()
        self._leaving: set[asyncio.Task[None]] = set()
        self._filled = limits.min_connections == 0
        self._closed = False
        self._all_back = asyncio.Event()
        self._sweep: asyncio.TimerHandle | None = None
        self._reports = Reports(lambda: self.state)
        self._places.watch = self._reports.changed

    @property
    def most(self) -> int:
        """Connections at most."""
        return self._most

    @property
    def state(self) -> PoolState:
        """How full it is, at this moment."""
        idle = len(self._free)
        return PoolState(idle + len(self._taken), idle, self._places.waiting)

    def watch(self, told: Callable[[PoolState], None]) -> None:
        """Have *told* called with the state: now, and after changes of the size or of whether
        calls wait, a few times a second at most."""
        self._reports.watch(told)

    async def acquire(self) -> Pooled[C]:
        """A sound connection, which must be given back with `release`.

        Raises `ToolError` (harmless, for nothing was asked of the server): throttled where none
        came free in time, else why the server cannot be reached.
        """
        if not self._places.take():
            await self._places.turn()
        try:
            one = self._young() or await self._sound()
        except BaseException as exc:
            self._places.leave()
            if isinstance(exc, Exception):
                raise ToolError(self.unreachable(exc)) from exc
            raise
        self._taken.add(one)
        return one

    def release(self, one: Pooled[C], *, keep: bool) -> None:
        """Give *one* back. Unless *keep*, it is closed: nobody knows in what state it is."""
        self._taken.discard(one)
        one.used = time.monotonic()
        if not keep or not self._server.stands(one.connection, 0.0):
            self._drop(one)
        elif self._closed or one.used - one.made > self._limits.lifetime:
            self._leave(one)
        else:
            self._free.append(one)
            if self._sweep is None:
                self._sweep_later()
        self._places.leave()
        if not self._taken:
            self._all_back.set()

    async def close(self, patience: float) -> None:
        """Close every connection, after *patience* seconds for what still runs."""
        self._closed = True  # what comes back is not kept
        self._places.stop()
        self._reports.stop()
        if self._sweep is not None:
            self._sweep.cancel()
        if self._taken:
            self._all_back.clear()
            try:
                async with asyncio.timeout(patience):
                    await self._all_back.wait()
            except TimeoutError:
                for one in self._taken:
                    self._server.drop(one.connection)
        while self._free:
            self._leave(self._free.pop())
        await asyncio.gather(*self._leaving)

    def unreachable(self, exc: Exception) -> Failure:
        """Why nothing could be asked of the server: harmless, whatever it is."""
        if isinstance(exc, ToolError):
            return replace(exc.failure, harmless=True)
        failure = self._server.failure(exc)
        if failure.kind is FailureKind.DEFECT and isinstance(exc, OSError):
            message = f"cannot reach {self._server.place}: {exc}"
            return Failure(FailureKind.TRANSIENT, message, harmless=True)
        message = f"{self._server.place}: {failure.message}"
        return replace(failure, message=message, harmless=True)

    def _full(self) -> ToolError:
        message = (
            f"no connection to {self._server.place} came free in time (the pool has "
            f"{self._most} at most); raise max_connections, or lower the step's concurrency"
        )
        return ToolError(Failure(FailureKind.THROTTLED, message, harmless=True))

    def _young(self) -> Pooled[C] | None:
        """The freshest, if it was used just now: the common case needs no waiting."""
        if not self._free:
            return None
        one = self._free[-1]
        now = time.monotonic()
        if (
            now - one.used < QUIET
            and now - one.made <= self._limits.lifetime
            and self._server.stands(one.connection, now - one.used)
        ):
            return self._free.pop()
        return None

    async def _sound(self) -> Pooled[C]:
        """A connection that answers. Each that does not makes room for a new one."""
        if not self._filled:
            await self._fill()
        while self._free:
            one = self._free.pop()
            now = time.monotonic()
            if not self._server.stands(one.connection, now - one.used):
                self._drop(one)
            elif now - one.made > self._limits.lifetime:
                self._leave(one)
            elif await self._answers(one):
                return one
            else:
                self._drop(one)
        return await self._made()

    async def _answers(self, one: Pooled[C]) -> bool:
        if time.monotonic() - one.used < QUIET:
            return True
        try:
            return await self._server.answers(one.connection)
        except BaseException:
            self._drop(one)
            raise

    async def _fill(self) -> None:
        self._filled = True
        made = [self._made() for _ in range(self._limits.min_connections)]
        for one in await asyncio.gather(*made, return_exceptions=True):
            if isinstance(one, Pooled):
                self._free.append(one)

    async def _made(self) -> Pooled[C]:
        try:
            async with asyncio.timeout(self._limits.connect_timeout):
                connection = await self._server.connect()
        except TimeoutError:
            told = f"{self._server.place}: not reached in {self._limits.connect_timeout:g} s"
            raise ToolError(Failure(FailureKind.TRANSIENT, told, harmless=True)) from None
        now = time.monotonic()
        self._reports.changed()
        return Pooled(connection, now, now)

    def _drop(self, one: Pooled[C]) -> None:
        self._server.drop(one.connection)
        self._reports.changed()

    def _leave(self, one: Pooled[C]) -> None:
        task = asyncio.create_task(self._server.close(one.connection))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
        self._reports.changed()

    def _sweep_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._sweep = loop.call_later(self._limits.idle_timeout, self._swept)

    def _swept(self) -> None:
        """Close what lies idle too long; the one unused longest stands on the left."""
        self._sweep = None
        ended = time.monotonic() - self._limits.idle_timeout
        while self._free and self.state.size > self._limits.min_connections:
            if self._free[0].used > ended:
                self._sweep_later()
                return
            self._leave(self._free.popleft())
