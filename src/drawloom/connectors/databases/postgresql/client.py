"""The open client: what a step may do with a connection, and what is proven when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from drawloom.connectors.databases.postgresql.faults import FAULTS, STANDBY
from drawloom.connectors.databases.postgresql.server import Line, Server
from drawloom.connectors.databases.postgresql.statements import Prepared, is_plain
from drawloom.errors import ToolError, invalid
from drawloom.sdk import Json, name_fault
from drawloom.sdk.pooling import Pool, Pooled

if TYPE_CHECKING:
    import asyncpg

    from drawloom.connectors.databases.postgresql.connection import PostgresqlConnection
    from drawloom.sdk.doors import Folder

_CLOSING = 10.0  # seconds for what still runs when the client closes


Check: TypeAlias = Callable[[list[str]], object]


class Found(NamedTuple):
    """A statement that has run, and the first of its rows, as the driver gives them."""

    statement: Prepared
    records: list[Any]


class Client:
    """Connections of one database, shared by every step that is bound to it."""

    def __init__(
        self,
        settings: PostgresqlConnection,
        options: dict[str, Any],
        folder: Folder | None = None,
    ) -> None:
        self.settings = settings
        self._folder = folder
        self.effects_table = ""  # see `effects`; "" until it was looked up
        self.pool = Pool(Server(settings, options), settings)
        self._cleaning: set[asyncio.Task[None]] = set()

    @property
    def folder(self) -> Folder:
        """The folder for files. Raises `ToolError` (invalid) where the connection names none."""
        if self._folder is None:
            raise invalid("the connection has no `folder` for files; set it")
        return self._folder

    async def read(
        self, sql: str, args: list[Json], most: int, check: Check | None = None
    ) -> Found:
        """Run one statement that reads, and give its first rows, *most* of them.

        It is a transaction of its own, and READ ONLY: the server itself refuses to write.
        *check* is given its columns before it runs, and raises where they do not do.
        """
        pooled = await self.pool.acquire()
        try:
            found = await _read(pooled.connection, _Asked(sql, args, most, check))
        except BaseException:
            await self._give_back(pooled)
            raise
        if is_plain(sql):
            self.pool.release(pooled, keep=True)
        else:
            await self._give_back(pooled)
        return found

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[asyncpg.Connection[Any]]:
        """A connection in a READ ONLY transaction, for several statements that see the same."""
        async with self._line() as line, self._transaction(line, "BEGIN READ ONLY"):
            yield line.connection

    @asynccontextmanager
    async def writing(
        self,
        isolation: str = "read_committed",
        *,
        readonly: bool = False,
        deferrable: bool = False,
    ) -> AsyncIterator[asyncpg.Connection[Any]]:
        """A connection in a transaction that commits at the end, or not at all."""
        async with self._line() as line:
            words = [
                f"BEGIN ISOLATION LEVEL {isolation.replace('_', ' ').upper()}",
                *(["READ ONLY"] if readonly else ["READ WRITE"] if line.takes_writes else []),
                *(["DEFERRABLE"] if deferrable else []),
            ]
            async with self._transaction(line, " ".join(words)):
                with _telling_of_standby():
                    yield line.connection

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator[asyncpg.Connection[Any]]:
        """A connection without a transaction, where a failure proves nothing."""
        async with self._line() as line:
            connection = line.connection
            try:
                if line.takes_writes:
                    await connection.execute("SET default_transaction_read_only = off")
                with _telling_of_standby():
                    yield connection
            except Exception as exc:
                raise ToolError(replace(name_fault(FAULTS, exc), harmless=False)) from exc
            _still(not connection.is_in_transaction())

    async def close(self) -> None:
        """Close every connection, after a moment for what still runs."""
        await self.pool.close(_CLOSING)

    @asynccontextmanager
    async def _transaction(self, line: Line, begin: str) -> AsyncIterator[None]:
        """A transaction that commits at the end; cleaning the line rolls it back otherwise."""
        import asyncpg

        try:
            await line.connection.execute(begin)
        except asyncpg.FeatureNotSupportedError as exc:  # no READ WRITE where a standby recovers
            raise ToolError(STANDBY(exc)) from exc
        except Exception as exc:  # it broke while it lay in the pool: nothing was asked of it
            raise ToolError(self.pool.unreachable(exc)) from exc
        yield
        _still(line.connection.is_in_transaction())
        if await line.connection.execute("COMMIT") != "COMMIT":
            raise invalid("a statement of the transaction had failed, and all is rolled back")

    @asynccontextmanager
    async def _line(self) -> AsyncIterator[Line]:
        """A connection for anything, which is cleaned afterwards."""
        pooled = await self.pool.acquire()
        try:
            yield pooled.connection
        finally:
            await self._give_back(pooled)

    async def _give_back(self, pooled: Pooled[Line]) -> None:
        """Clean a connection and give it back, whoever is cancelled meanwhile."""
        task = asyncio.create_task(self._cleaned(pooled))
        self._cleaning.add(task)
        task.add_done_callback(self._cleaning.discard)
        await asyncio.shield(task)

    async def _cleaned(self, pooled: Pooled[Line]) -> None:
        keep = False
        try:
            await pooled.connection.clean()
            keep = True
        except Exception:  # noqa: BLE001, S110  # it is broken: another takes its place
            pass
        finally:
            self.pool.release(pooled, keep=keep)


class _Asked(NamedTuple):
    sql: str
    args: list[Json]
    most: int
    check: Check | None


async def _read(line: Line, asked: _Asked) -> Found:
    """Run it; once more where it was prepared long ago, and the schema may have changed since."""
    import asyncpg

    known = line.statements.known(asked.sql)
    if known is None:
        return await _run(line, await line.statements.prepare(asked.sql), asked)
    stale = (
        *(asyncpg.SyntaxOrAccessError, asyncpg.FeatureNotSupportedError),
        *(asyncpg.InvalidCachedStatementError, asyncpg.OutdatedSchemaCacheError),
    )
    try:
        return await _run(line, known, asked)
    except stale:
        line.statements.forget(asked.sql)
    return await _run(line, await line.statements.prepare(asked.sql), asked)


async def _run(line: Line, statement: Prepared, asked: _Asked) -> Found:
    if asked.check is not None:
        asked.check(statement.columns)
    values = await statement.bound(line.connection, asked.args)
    return Found(statement, await statement.fetch(values, asked.most))


@asynccontextmanager
async def savepoint(connection: asyncpg.Connection[Any]) -> AsyncIterator[None]:
    """A part of a transaction that is undone alone if it fails."""
    await connection.execute("SAVEPOINT drawloom")
    try:
        yield
    except BaseException:
        await connection.execute("ROLLBACK TO drawloom; RELEASE drawloom")
        raise
    await connection.execute("RELEASE drawloom")


@contextmanager
def _telling_of_standby() -> Iterator[None]:
    import asyncpg

    try:
        yield
    except asyncpg.ReadOnlySQLTransactionError as exc:
        raise ToolError(STANDBY(exc)) from exc


def _still(inside: bool) -> None:
    if not inside:
        raise invalid("a step is a transaction of its own: BEGIN, COMMIT and ROLLBACK are refused")
