"""The open client: hands out sessions that read, write, or run what commits by itself."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from drawloom.connectors.databases.mysql.binding import Statement, bound
from drawloom.connectors.databases.mysql.faults import FAULTS
from drawloom.connectors.databases.mysql.patience import Patience
from drawloom.connectors.databases.mysql.reading import Readers
from drawloom.connectors.databases.mysql.server import Server
from drawloom.connectors.databases.mysql.sessions import Found, Session
from drawloom.errors import ToolError
from drawloom.sdk import Json, name_fault
from drawloom.sdk.pooling import Pool, Pooled

if TYPE_CHECKING:
    from drawloom.connectors.databases.mysql.connection import MysqlConnection
    from drawloom.connectors.databases.mysql.drivers import Driver

Isolation = Literal["read uncommitted", "read committed", "repeatable read", "serializable"]

_CLOSING = 10.0  # seconds for what still runs when the client closes
# Seconds beyond `timeout` in which the server must say that a statement took too long.
_SILENCE = 10.0


class Client:
    """Connections of one database, shared by every step that is bound to it."""

    def __init__(self, settings: MysqlConnection, driver: Driver) -> None:
        self.settings = settings
        self.driver = driver
        self.has_effects = False  # the table of `effects` is known to be there
        self._server = Server(settings, driver)
        self._patience = Patience(math.ceil(settings.timeout) + _SILENCE)
        self._readers = Readers()
        self.pool = Pool(self._server, settings)

    async def read(self, statement: Statement, args: list[Json], most: int) -> Found:
        """Run one statement that reads, and give its first rows, *most* of them.

        It is a READ ONLY transaction of its own: the server itself refuses to write.
        """
        pooled = await self.pool.acquire()
        session = self._session_of(pooled)
        keep = False
        try:
            sql = bound(pooled.connection, statement, args)
            found = await session.read(sql, most)
            keep = statement.clean or await self._server.reset(pooled.connection)
        except Exception as exc:
            keep = await self._mended(session, exc)
            raise
        finally:
            self.pool.release(pooled, keep=keep)
        return found

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

    async def close(self) -> None:
        """Close every connection, after a moment for what still runs."""
        await self.pool.close(_CLOSING)
        self._patience.close()

    @asynccontextmanager
    async def _session(self, *, reset: bool) -> AsyncIterator[Session]:
        pooled = await self.pool.acquire()
        session = self._session_of(pooled)
        keep = False
        try:
            yield session
            keep = not reset or await self._server.reset(pooled.connection)
        except Exception as exc:
            keep = await self._mended(session, exc)
            raise
        finally:
            self.pool.release(pooled, keep=keep)

    def _session_of(self, pooled: Pooled[Any]) -> Session:
        return Session(self.driver, pooled.connection, self._readers, self._patience)

    async def _mended(self, session: Session, exc: Exception) -> bool:
        """Whether a connection is as new after an error."""
        return session.answers_after(exc) and await self._server.reset(session.connection)
