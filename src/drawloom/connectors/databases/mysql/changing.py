"""What the typed tools do in an open session: one operation each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from typing_extensions import TypedDict

from drawloom.connectors.databases.mysql.columns import Table, table_of, unique_indexes
from drawloom.connectors.databases.mysql.forms import (
    insert_sql,
    row_sql,
    set_sql,
    upsert_sql,
    where_sql,
)
from drawloom.connectors.databases.mysql.values import exact_int
from drawloom.errors import Failure, FailureKind, ToolError, invalid
from drawloom.sdk import Row

if TYPE_CHECKING:
    from drawloom.connectors.databases.mysql.client import Client
    from drawloom.connectors.databases.mysql.sessions import Session

# A statement is sent in whole: this many characters of values, or this many rows.
_LONGEST, _MOST_ROWS = 512_000, 1_000
_TRANSACTIONAL = frozenset({"InnoDB", "ROCKSDB", "TokuDB"})


class Inserted(TypedDict):
    """How many rows went in. `last_id` is the first AUTO_INCREMENT value that was given."""

    count: int
    last_id: int | str | None


class Changed(TypedDict):
    """How many rows were found, whether or not they already were so."""

    changes: int


async def known_table(client: Client, session: Session, name: str) -> Table:
    """The table *name*, which can roll back. Raises `ToolError`."""
    table = await table_of(session, name, is_mariadb=client.driver.is_mariadb(session.connection))
    if table.engine is not None and table.engine not in _TRANSACTIONAL:
        raise invalid(
            f"the table {name!r} is of the engine {table.engine}, which cannot roll back;"
            " write to it by mysql.execute, or make it InnoDB"
        )
    return table


async def insert_rows(
    client: Client, session: Session, table: str, rows: list[Row], key: list[str] | None = None
) -> Inserted:
    """INSERT, or with *key* change the rows that are there with the same key."""
    loading = Loading(client, session, table, key)
    await loading.add(rows)
    return loading.inserted()


async def update_rows(
    client: Client, session: Session, table: str, values: Row, where: list[Any]
) -> Changed:
    """UPDATE the rows of which *where* holds."""
    found = await known_table(client, session, table)
    sql = f"UPDATE {found.sql} SET {set_sql(found, values)} WHERE {where_sql(found, where)}"
    return Changed(changes=(await session.run(sql)).changes)


async def delete_rows(client: Client, session: Session, table: str, where: list[Any]) -> Changed:
    """DELETE the rows of which *where* holds."""
    found = await known_table(client, session, table)
    sql = f"DELETE FROM {found.sql} WHERE {where_sql(found, where)}"
    return Changed(changes=(await session.run(sql)).changes)


class Loading:
    """Rows on their way into a table, some at a time."""

    def __init__(
        self, client: Client, session: Session, table: str, key: list[str] | None
    ) -> None:
        self._client, self._session = client, session
        self._name, self._key = table, key
        self._table: Table | None = None
        self._columns: list[Any] = []
        self._update = ""
        self._first_id = 0
        self.count = 0

    async def add(self, rows: list[Row]) -> None:
        """Write *rows*, in as few statements as their size allows."""
        if rows and self._table is None:
            await self._prepare(rows[0])
        for values in self._portions(rows):
            assert self._table is not None
            sql = insert_sql(self._table, self._columns, values, self._update)
            done = await self._session.run(sql)
            self._first_id = self._first_id or done.last_id

    def inserted(self) -> Inserted:
        """What has gone in so far."""
        last = exact_int(self._first_id) if self._first_id and self._key is None else None
        return Inserted(count=self.count, last_id=last)

    async def _prepare(self, row: Row) -> None:
        self._table = await known_table(self._client, self._session, self._name)
        self._columns = self._table.writable(row, "rows[0]")
        if self._key is not None:
            unique = await unique_indexes(self._session, self._table)
            self._update = upsert_sql(self._table, self._columns, self._key, unique)

    def _portions(self, rows: list[Row]) -> Iterator[list[str]]:
        values: list[str] = []
        size = 0
        for row in rows:
            assert self._table is not None
            written = row_sql(self._table, self._columns, row, f"rows[{self.count}]")
            self.count += 1
            if values and (size + len(written) > _LONGEST or len(values) == _MOST_ROWS):
                yield values
                values, size = [], 0
            values.append(written)
            size += len(written)
        if values:
            yield values


def expected(changed: Changed, expect: int | None) -> Changed:
    """*changed*, if so many rows were found. Raises `ToolError` (conflict)."""
    if expect is not None and changed["changes"] != expect:
        raise ToolError(
            Failure(
                FailureKind.CONFLICT,
                f"{changed['changes']} rows were found where {expect} were expected; nothing changed",
            )
        )
    return changed
