"""Connections that are open already, handed out in turn and only while they are well.

The driver's own pool gives out whatever it has, keeps it for ever, and tries again by itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from drawloom.connectors.databases.redis.faults import FAULTS
from drawloom.errors import Failure, FailureKind, ToolError
from drawloom.sdk import name_fault

if TYPE_CHECKING:
    import ssl

    from redis.asyncio.connection import Connection

    from drawloom.connectors.databases.redis.connection import RedisConnection

# Seconds of silence after which a connection is asked whether anybody is there. A socket
# that was closed is noticed at once; this is for a line that was cut without a word.
_SILENCE = 30.0


@dataclass(slots=True)
class Line:
    """One connection, since when it is open, and when it was last used (monotonic seconds)."""

    connection: Connection
    opened: float
    used: float


class Pool:
    """Up to `max_connections` of them; who comes when all are taken waits in turn."""

    def __init__(
        self, settings: RedisConnection, password: str | None, tls: ssl.SSLContext | None
    ) -> None:
        self.place = f"{settings.host}:{settings.port}"
        self.encrypted = tls is not None
        self._settings = settings
        self._password = password
        self._tls = tls
        self._free: list[Line] = []  # the last one was used last
        self._most = max(settings.max_connections, settings.min_connections)
        self._room = asyncio.Semaphore(self._most)
        self._filled = settings.min_connections == 0
        self._closed = False

    @asynccontextmanager
    async def line(self) -> AsyncIterator[Connection]:
        """A connection that answers. It is closed if what is done with it goes wrong.

        Raises `ToolError`: whatever goes wrong on the way came before the command.
        """
        await self._turn()
        try:
            line = await self._reached()
            try:
                yield line.connection
            except BaseException:
                # Nobody knows what is still on its way to us.
                await line.connection.disconnect(nowait=True)
                raise
            await self._give_back(line)
        finally:
            self._room.release()

    async def close(self) -> None:
        """Close all that are free. Those in use are closed when they come back."""
        self._closed = True
        while self._free:
            with suppress(OSError):
                await self._free.pop().connection.disconnect()

    async def _turn(self) -> None:
        if not self._room.locked():  # the common case needs no clock
            await self._room.acquire()
            return
        try:
            async with asyncio.timeout(self._settings.acquire_timeout):
                await self._room.acquire()
        except TimeoutError:
            message = (
                f"no connection to {self.place} came free in time (the pool has {self._most}"
                " at most); raise max_connections, or lower the step's concurrency"
            )
            raise ToolError(Failure(FailureKind.THROTTLED, message, harmless=True)) from None

    async def _reached(self) -> Line:
        try:
            if not self._filled:
                await self._fill()
            return await self._well() or await self._opened()
        except Exception as exc:
            raise ToolError(replace(self._unreachable(exc), harmless=True)) from exc

    async def _fill(self) -> None:
        self._filled = True
        opened = (self._opened() for _ in range(self._settings.min_connections))
        self._free += await asyncio.gather(*opened)

    async def _well(self) -> Line | None:
        """The free connection that was used last, if it is still good; None if there is none."""
        while self._free:
            line = self._free.pop()
            if await self._is_well(line):
                return line
            await line.connection.disconnect(nowait=True)
        return None

    async def _is_well(self, line: Line) -> bool:
        now = time.monotonic()
        if now - line.opened > self._settings.lifetime:
            return False
        # Before a command nothing is to be read: it is the end, or the rest of something.
        if await line.connection.can_read():
            return False
        return now - line.used < _SILENCE or await self._answers(line)

    async def _answers(self, line: Line) -> bool:
        from redis.exceptions import RedisError

        with suppress(TimeoutError, RedisError):
            async with asyncio.timeout(self._settings.connect_timeout):
                await line.connection.send_command("PING")
                await line.connection.read_response()
                return True
        return False

    async def _opened(self) -> Line:
        connection = self._made()
        try:
            async with asyncio.timeout(self._settings.connect_timeout):
                await connection.connect()  # type: ignore[no-untyped-call]
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        now = time.monotonic()
        return Line(connection, now, now)

    def _made(self) -> Connection:
        from redis.asyncio.connection import Connection, SSLConnection
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        settings = self._settings
        kind: Any = SSLConnection if self._tls else Connection
        made: Connection = kind(
            host=settings.host,
            port=settings.port,
            db=settings.database,
            username=settings.user if self._password is not None else None,
            password=self._password,
            client_name=settings.client_name or None,
            driver_info=None,
            protocol=3,
            retry=Retry(NoBackoff(), 0),  # retries are the engine's
            socket_connect_timeout=settings.connect_timeout,
            socket_timeout=None,  # the client keeps one deadline for all of a command
            socket_keepalive=True,
        )
        if self._tls:
            made.ssl_context.context = self._tls  # type: ignore[attr-defined]
        return made

    async def _give_back(self, line: Line) -> None:
        if self._closed or not line.connection.is_connected:
            await line.connection.disconnect(nowait=True)
            return
        line.used = time.monotonic()
        self._free.append(line)
        await self._close_idle(line.used)

    async def _close_idle(self, now: float) -> None:
        """Close the one that lies idle longest, if that is too long."""
        first = self._free[0]
        spare = len(self._free) > self._settings.min_connections
        if spare and now - first.used > self._settings.idle_timeout:
            del self._free[0]
            await first.connection.disconnect(nowait=True)

    def _unreachable(self, exc: Exception) -> Failure:
        if isinstance(exc, TimeoutError):
            seconds = self._settings.connect_timeout
            return Failure(FailureKind.TRANSIENT, f"{self.place}: not reached in {seconds:g} s")
        # The driver tells what went wrong with a socket by its text alone.
        cause = exc.__context__ if isinstance(exc.__context__, OSError) else exc
        failure = name_fault(FAULTS, cause)
        if failure.kind is FailureKind.DEFECT and isinstance(cause, OSError):
            return Failure(FailureKind.TRANSIENT, f"cannot reach {self.place}: {cause}")
        return replace(failure, message=f"{self.place}: {failure.message}")
