"""The pool of connections: made when first used, and none handed out that is old or broken."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from drawloom.connectors.databases.postgresql.codecs import install
from drawloom.connectors.databases.postgresql.faults import FAULTS
from drawloom.errors import Failure, FailureKind, ToolError
from drawloom.sdk import name_fault

if TYPE_CHECKING:
    import asyncpg

    from drawloom.connectors.databases.postgresql.connection import PostgresqlConnection

_CLOSING = 10.0  # seconds for what still runs when the pool closes
# A connection that lay this long, in seconds, is asked whether it still answers. One whose
# server has ended is known as closed without that; one behind a silent firewall is not.
_QUIET = 5.0
_ANSWER = 2.0  # seconds for that

# The driver resets settings, locks, cursors and listeners, but would hand on a
# changed role and temporary tables, which hide real ones, to the next call.
_RESET = "RESET SESSION AUTHORIZATION; RESET ROLE; DISCARD TEMP;"


class PoolState(NamedTuple):
    """Connections that are open, those of them that are free, and calls that wait for one."""

    size: int
    idle: int
    waiting: int


class Pool:
    """Connections to one database. Each is known by the process that serves it."""

    def __init__(self, settings: PostgresqlConnection, options: dict[str, Any]) -> None:
        self.settings = settings
        self._options = options
        self._opening = asyncio.Lock()
        self._made: Any = None
        self._waiting = 0
        self._born: dict[int, float] = {}
        self._used: dict[int, float] = {}

    def state(self) -> PoolState:
        """How full it is, at this moment."""
        if self._made is None:
            return PoolState(0, 0, self._waiting)
        return PoolState(self._made.get_size(), self._made.get_idle_size(), self._waiting)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection[Any]]:
        """A sound connection. Whatever goes wrong before one is there is harmless."""
        connection = await self._acquired()
        number = connection.get_server_pid()
        try:
            yield connection
        finally:
            await self._release(connection, number)

    async def close(self) -> None:
        """Close every connection, after a moment for what still runs."""
        if self._made is None:
            return
        try:
            async with asyncio.timeout(_CLOSING):
                await self._made.close()
        except TimeoutError:
            self._made.terminate()

    def unreachable(self, exc: Exception) -> Failure:
        """Why nothing could be asked of the server."""
        failure = name_fault(FAULTS, exc)
        if failure.kind is FailureKind.DEFECT and isinstance(exc, OSError):
            message = f"cannot reach {self._place}: {exc}"
            return Failure(FailureKind.TRANSIENT, message, harmless=True)
        return replace(failure, message=f"{self._place}: {failure.message}", harmless=True)

    @property
    def _place(self) -> str:
        return f"{self.settings.host}:{self.settings.port}"

    async def _acquired(self) -> Any:
        self._waiting += 1
        try:
            async with asyncio.timeout(self.settings.acquire_timeout):
                await self._open()
                return await self._sound()
        except TimeoutError as exc:
            most = self.settings.max_connections
            message = (
                f"{self._place}: no connection came free in time (the pool has {most} at most)"
            )
            raise ToolError(Failure(FailureKind.THROTTLED, message, harmless=True)) from exc
        except Exception as exc:
            raise ToolError(self.unreachable(exc)) from exc
        finally:
            self._waiting -= 1

    async def _sound(self) -> Any:
        """A connection that answers. Each that does not makes room for a new one."""
        while True:
            connection = await self._made.acquire()
            try:
                if await self._answers(connection):
                    return connection
            except BaseException:
                await self._made.release(connection)
                raise
            connection.terminate()
            await self._made.release(connection)

    async def _answers(self, connection: Any) -> bool:
        used = self._used.get(connection.get_server_pid())
        if used is None or time.monotonic() - used < _QUIET:
            return True
        try:
            await connection.fetchval("SELECT 1", timeout=_ANSWER)
        except Exception:  # noqa: BLE001  # whatever it is, another connection is better
            return False
        return True

    async def _release(self, connection: Any, number: int) -> None:
        if (born := self._born.get(number)) is not None:  # else it broke meanwhile
            now = self._used[number] = time.monotonic()
            if now - born > self.settings.lifetime:
                await connection.close(timeout=_ANSWER)
        await self._made.release(connection)

    async def _open(self) -> None:
        import asyncpg

        async with self._opening:
            if self._made is None:
                self._made = await asyncpg.create_pool(
                    min_size=self.settings.min_connections,
                    max_size=max(self.settings.max_connections, self.settings.min_connections),
                    max_inactive_connection_lifetime=self.settings.idle_timeout,
                    init=self._begin,
                    reset=_reset,
                    command_timeout=_patience(self.settings.timeout),
                    **self._options,
                )

    async def _begin(self, connection: Any) -> None:
        await install(connection)
        number = connection.get_server_pid()
        self._born[number] = time.monotonic()
        connection.add_termination_listener(lambda _: self._forget(number))

    def _forget(self, number: int) -> None:
        self._born.pop(number, None)
        self._used.pop(number, None)


async def _reset(connection: Any) -> None:
    await connection.execute(connection.get_reset_query() + "\n" + _RESET)


def _patience(timeout: float) -> float:
    """When to give up on a server that no longer answers, seconds. It counts the time itself."""
    return math.ceil(timeout) + 10.0
