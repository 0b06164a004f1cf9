"""One connection while a step has it: statements in, rows out, and what the server notes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from drawloom.connectors.databases.mysql.faults import FAULTS, said_by_server
from drawloom.connectors.databases.mysql.values import Column, columns_of
from drawloom.errors import ToolError, invalid
from drawloom.sdk import name_fault

if TYPE_CHECKING:
    from drawloom.connectors.databases.mysql.drivers import Driver

# Warnings and notes that say that a value was not taken for what it is: the server
# would compare 12 with "12x", and store a time without its last digits.
_LOSSES = frozenset({1264, 1265, 1292, 1366, 1411, 1690, 1916})
_IN_TRANSACTION = 1  # SERVER_STATUS_IN_TRANS


@dataclass(frozen=True, slots=True)
class Done:
    """What a statement did, and the rows that it gave, as the driver gives them."""

    changes: int
    last_id: int
    columns: list[Column]
    rows: list[tuple[Any, ...]]


class Cursor:
    """The rows of a statement, read as they come."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        self.columns = columns_of(cursor._result.fields)

    async def fetch(self, most: int) -> list[tuple[Any, ...]]:
        """The next rows; fewer than *most* only at the end."""
        rows: list[tuple[Any, ...]] = await self._cursor.fetchmany(most)
        return rows


class Session:
    """What a tool works on. Statements come with their values in them; see `binding`.

    The server counts the time of a statement; *patience* (seconds) is for one that
    does not answer at all.
    """

    def __init__(self, driver: Driver, connection: Any, patience: float) -> None:
        self._driver = driver
        self._patience = patience
        self.connection = connection

    async def begin(self, isolation: str | None) -> None:
        """Begin a transaction that may write."""
        if isolation is not None:
            await self.run(f"SET TRANSACTION ISOLATION LEVEL {isolation.upper()}")
        await self.run("START TRANSACTION READ WRITE")

    async def run(self, sql: str) -> Done:
        """One statement, its rows all at once. Raises `ToolError` where it loses something."""
        done = await self.call(sql)
        if self.connection._result.warning_count:
            await self._refuse_losses()
        return done

    async def call(self, sql: str) -> Done:
        """As `run`, whatever the server notes. More results may follow: see `next_result`."""
        async with asyncio.timeout(self._patience):
            await self.connection.query(sql)
        return self._done()

    async def next_result(self) -> Done | None:
        """The next result of a CALL; None where there is none."""
        if not self.connection._result.has_next:
            return None
        async with asyncio.timeout(self._patience):
            await self.connection.next_result()
        return self._done()

    async def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a statement of our own."""
        return (await self.run(sql)).rows

    @asynccontextmanager
    async def reading(self, sql: str) -> AsyncIterator[Cursor]:
        """The rows of *sql*, which come as they are fetched."""
        cursor = await self._driver.unbuffered(self.connection)
        async with asyncio.timeout(self._patience):
            await cursor.execute(sql)
            yield Cursor(cursor)
        if self._unread():
            self.connection.close()  # what is unread is not worth reading
        elif cursor._result.warning_count:
            await self._refuse_losses()

    @property
    def in_transaction(self) -> bool:
        """Whether the server says that a transaction is open."""
        return bool(self.connection.server_status & _IN_TRANSACTION)

    async def rolled_back(self, exc: Exception) -> ToolError:
        """What *exc* means once all is undone, or once that cannot be known."""
        failure = name_fault(FAULTS, exc)
        undone = self.answers_after(exc) and await self._undone()
        return ToolError(failure if undone else replace(failure, harmless=False))

    def answers_after(self, exc: BaseException) -> bool:
        """Whether the connection can be used on: the server said no, or we did between two."""
        said = isinstance(exc, ToolError) or said_by_server(exc)
        return said and not self._unread() and self._driver.usable(self.connection)

    def _unread(self) -> bool:
        result = self.connection._result
        return result is not None and bool(result.unbuffered_active)

    async def _undone(self) -> bool:
        """Roll back; False where a table without transactions keeps what was done to it."""
        try:
            await self.call("ROLLBACK")
        except self._driver.errors:
            self.connection.close()
            return False
        return not self.connection._result.warning_count

    async def _refuse_losses(self) -> None:
        for level, number, message in await self.connection.show_warnings():
            if int(number) in _LOSSES:
                raise invalid(f"{message} ({level.lower()} {number}, taken for an error)")

    def _done(self) -> Done:
        result = self.connection._result
        columns = columns_of(result.fields) if result.description else []
        rows = list(result.rows or ())
        return Done(result.affected_rows, result.insert_id or 0, columns, rows)
