"""One connection while a step has it: statements in, rows out, and what the server notes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from drawloom.connectors.databases.mysql.faults import FAULTS, said_by_server
from drawloom.connectors.databases.mysql.patience import Patience
from drawloom.connectors.databases.mysql.reading import Reader, Readers
from drawloom.connectors.databases.mysql.values import Column, columns_of
from drawloom.errors import ToolError, invalid
from drawloom.sdk import Row, name_fault

if TYPE_CHECKING:
    from drawloom.connectors.databases.mysql.columns import Table
    from drawloom.connectors.databases.mysql.drivers import Driver

# Warnings and notes that say that a value was not taken for what it is: the server
# would compare 12 with "12x", and store a time without its last digits.
_LOSSES = frozenset({1264, 1265, 1292, 1366, 1411, 1690, 1916})
_IN_TRANSACTION = 1  # SERVER_STATUS_IN_TRANS
_PORTION = 5_000  # rows


@dataclass(frozen=True, slots=True)
class Done:
    """What a statement did, and the rows that it gave, as the driver gives them."""

    changes: int
    last_id: int
    columns: list[Column]
    rows: list[tuple[Any, ...]]


class Found(NamedTuple):
    """The first rows of a statement, as objects, and what their columns are."""

    reader: Reader
    rows: list[Row]


class Session:
    """What a tool works on. Statements come with their values in them; see `binding`.

    The server counts the time of a statement; *patience* is for one that does not
    answer at all.
    """

    def __init__(
        self, driver: Driver, connection: Any, readers: Readers, patience: Patience
    ) -> None:
        self._driver = driver
        self._readers = readers
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
        with self._patience:
            await self.connection.query(sql)
        return self._done()

    async def next_result(self) -> Done | None:
        """The next result of a CALL; None where there is none."""
        if not self.connection._result.has_next:
            return None
        with self._patience:
            await self.connection.next_result()
        return self._done()

    async def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a statement of our own."""
        return (await self.run(sql)).rows

    async def read(self, sql: str, most: int, table: Table | None = None) -> Found:
        """The first rows of a statement that reads, *most* of them.

        What is behind them is never read, so that the connection is of no more use then.
        Columns of a *table* are read as what they are in it.
        """
        with self._patience:
            await self.connection.query(sql, unbuffered=True)
            result = self.connection._result
            reader = self._readers.of(result.fields if result.description else ())
            if table is not None:
                reader = Reader(table.reading(reader.columns))
            rows = await self._rows(result, reader, most)
        if result.unbuffered_active:
            self.connection.close()
        elif result.warning_count:
            await self._refuse_losses()
        return Found(reader, rows)

    async def _rows(self, result: Any, reader: Reader, most: int) -> list[Row]:
        """In portions, so that the event loop is never held for long."""
        rows: list[Row] = []
        while True:
            asked = min(_PORTION, most - len(rows))
            portion = await self._driver.fetch(result, asked)
            rows += reader.many(portion)
            if len(portion) < asked or len(rows) >= most:
                return rows
            await asyncio.sleep(0)

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
