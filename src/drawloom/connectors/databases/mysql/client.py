"""The open client: hands out sessions that read, write, or run what commits by itself."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from drawloom.connectors.databases.mysql.faults import FAULTS
from drawloom.connectors.databases.mysql.pool import Pool, Pooled
from drawloom.connectors.databases.mysql.sessions import Session
from drawloom.errors import Failure, FailureKind, ToolError
from drawloom.sdk import name_fault

if TYPE_CHECKING:
    from drawloom.connectors.databases.mysql.connection import MysqlConnection
    from drawloom.connectors.databases.mysql.drivers import Driver

Isolation = Literal["read uncommitted", "read committed", "repeatable read", "serializable"]

_CLOSING = 10.0  # seconds for what still runs when the client closes
# Strict everywhere; and quotes and backslashes mean what `sql` and the drivers take them for.
_SQL_MODE = (
    "STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,"
    "ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
)


class Client:
    """Connections of one database, shared by every step that is bound to it."""

    def __init__(self, settings: MysqlConnection, driver: Driver) -> None:
        self.settings = settings
        self.driver = driver
        self.has_effects = False  # the table of `effects` is known to be there
        self._pool = Pool(
            self._connected,
            driver.usable,
            most=max(settings.max_connections, settings.min_connections),
            kept=settings.min_connections,
            lifetime=settings.lifetime,
            idle_timeout=settings.idle_timeout,
        )

    @asynccontextmanager
    async def reading(self, *, clean: bool = True) -> AsyncIterator[Session]:
        """A session in which each statement is a READ ONLY transaction of its own.

        Unless *clean*, the session is reset afterwards: the statement may set something.
        """
        async with self._session(reset=not clean) as session:
            yield session

    @asynccontextmanager
    async def writing(
        self, *, clean: bool = True, isolation: Isolation | None = None
    ) -> AsyncIterator[Session]:
        """A session in a transaction that commits at the end, or not at all."""
        async with self._session(reset=not clean) as session:
            try:
                await session.begin(isolation)
                yield session
            except Exception as exc:
                raise await session.rolled_back(exc) from exc
            await session.run("COMMIT")

    @asynccontextmanager
    async def committing(self) -> AsyncIterator[Session]:
        """A session for statements that commit by themselves: a failure proves nothing."""
        async with self._session(reset=True) as session:
            try:
                await session.run("SET SESSION TRANSACTION READ WRITE")
                yield session
            except Exception as exc:
                raise ToolError(replace(name_fault(FAULTS, exc), harmless=False)) from exc

    def is_mariadb(self, connection: Any) -> bool:
        """Whether the server is MariaDB, which names some things otherwise than MySQL."""
        return "mariadb" in self.driver.version(connection).lower()

    async def close(self) -> None:
        """Close every connection, after a moment for what still runs."""
        await self._pool.close(_CLOSING)

    @asynccontextmanager
    async def _session(self, *, reset: bool) -> AsyncIterator[Session]:
        pooled = await self._acquire()
        session = Session(self.driver, pooled.connection, _patience(self.settings.timeout))
        keep = False
        try:
            yield session
            keep = not reset or await self._reset(pooled.connection)
        except Exception as exc:
            keep = session.answers_after(exc) and await self._reset(pooled.connection)
            raise
        finally:
            self._pool.release(pooled, keep=keep)

    async def _acquire(self) -> Pooled:
        """Whatever goes wrong here came before the statement: it is harmless."""
        try:
            if self._pool.is_ready:  # a timer for nothing would cost more than the rest
                return await self._pool.acquire()
            async with asyncio.timeout(self.settings.acquire_timeout):
                return await self._pool.acquire()
        except Exception as exc:
            raise ToolError(replace(self._unreachable(exc), harmless=True)) from exc

    def _unreachable(self, exc: Exception) -> Failure:
        place = f"{self.settings.host}:{self.settings.port}"
        if isinstance(exc, TimeoutError):
            most = self.settings.max_connections
            message = f"no connection to {place} came free in time (the pool has {most} at most)"
            return Failure(FailureKind.THROTTLED, message)
        failure = name_fault(FAULTS, _cause(exc))
        if failure.kind is FailureKind.DEFECT and isinstance(_cause(exc), OSError):
            return Failure(FailureKind.TRANSIENT, f"cannot reach {place}: {_cause(exc)}")
        return replace(failure, message=f"{place}: {failure.message}")

    async def _connected(self) -> Any:
        try:
            async with asyncio.timeout(self.settings.connect_timeout):
                connection = await self.driver.connect()
                await self._set_up(connection)
        except TimeoutError:
            raise ConnectionError("there was no answer within connect_timeout") from None
        return connection

    async def _reset(self, connection: Any) -> bool:
        """Make a session as new; False where the connection is of no more use."""
        try:
            async with asyncio.timeout(self.settings.connect_timeout):
                await self.driver.reset(connection)
                await self._set_up(connection)
        except self.driver.errors:
            return False
        return True

    async def _set_up(self, connection: Any) -> None:
        """One statement for all: a session begins READ ONLY, strict, in UTC and with a limit."""
        seconds = self.settings.timeout
        if self.is_mariadb(connection):
            limits = f"max_statement_time = {seconds}, tx_read_only = 1"
        else:
            limits = f"max_execution_time = {round(seconds * 1_000)}, transaction_read_only = 1"
        await connection.query(
            f"SET NAMES utf8mb4, sql_mode = '{_SQL_MODE}', time_zone = '+00:00', autocommit = 1,"
            f" innodb_lock_wait_timeout = {max(1, math.ceil(seconds))}, {limits}"
        )


def _cause(exc: Exception) -> Exception:
    """The drivers wrap what the system says, and drop the kind of it."""
    cause = exc.__cause__
    return cause if isinstance(cause, OSError) else exc


def _patience(timeout: float) -> float:
    """When to give up on a server that no longer answers, seconds. It counts the time itself."""
    return math.ceil(timeout) + 10.0
