"""SQL as it is written: query, query_one, execute, execute_many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from drawloom.connectors.databases.postgresql.binding import (
    columns_of,
    parameters,
    prepare,
    row_reader,
)
from drawloom.connectors.databases.postgresql.connection import connector
from drawloom.errors import invalid
from drawloom.sdk import Json, Row

if TYPE_CHECKING:
    from drawloom.connectors.databases.postgresql.client import Client

Sql = Annotated[str, Field(min_length=1, description="One statement, with $1, $2 … for values.")]
Args = Annotated[list[Json] | None, Field(description="The values of $1, $2 …")]

# Rows are fetched and encoded in portions, so that the event loop is never held for long.
_PORTION = 1_000
_COUNTED = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE"})


class Rows(TypedDict):
    """What a query found. `truncated` says that `limit` cut it off."""

    rows: list[Row]
    columns: list[str]
    count: int
    truncated: bool


class OneRow(TypedDict):
    """The one row, or null."""

    row: Row | None
    found: bool


class Changes(TypedDict):
    """What a statement did. `rows` is what its RETURNING gave."""

    changes: int
    rows: list[Row]
    columns: list[str]


class Repeated(TypedDict):
    """How often the statement ran."""

    count: int


@connector.tool(effect="read")
async def query(
    client: Client,
    sql: Sql,
    args: Args = None,
    limit: Annotated[int | None, Field(ge=0, description="Rows at most.")] = None,
) -> Rows:
    """Run one SELECT and give its rows as objects.

    The transaction is READ ONLY, so the server refuses to write. numeric and
    int8 beyond 2^53-1 come as decimal strings, times as RFC 3339, bytea as
    base64. Without `limit`, more rows than the connection's `max_rows` are an
    error; `truncated` is true only where more rows than `limit` were there.
    """
    async with client.reading() as connection:
        statement = await prepare(connection, sql)
        names = columns_of(statement)
        values = await parameters(connection, statement, args or [])
        cursor = await statement.cursor(*values)
        rows, truncated = await _fetch(cursor, row_reader(statement), limit, client)
    return Rows(rows=rows, columns=names, count=len(rows), truncated=truncated)


@connector.tool(effect="read")
async def query_one(client: Client, sql: Sql, args: Args = None) -> OneRow:
    """Run one SELECT that finds one row or none; more than one is an error."""
    async with client.reading() as connection:
        statement = await prepare(connection, sql)
        columns_of(statement)
        values = await parameters(connection, statement, args or [])
        cursor = await statement.cursor(*values)
        found = [row_reader(statement)(one) for one in await cursor.fetch(2)]
    if len(found) > 1:
        raise invalid("the SQL finds more than one row; narrow it, or use postgresql.query")
    row = found[0] if found else None
    return OneRow(row=row, found=row is not None)


@connector.tool(effect="once")
async def execute(
    client: Client,
    sql: Sql,
    args: Args = None,
    autocommit: Annotated[
        bool, Field(description="Run it outside a transaction: VACUUM, CREATE DATABASE, CALL …")
    ] = False,
) -> Changes:
    """Run one statement that writes, in a transaction of its own.

    `changes` counts the rows that INSERT, UPDATE, DELETE or MERGE touched, 0
    for anything else. `rows` has what RETURNING gives.
    """
    async with client.autocommit() if autocommit else client.writing() as connection:
        statement = await prepare(connection, sql)
        names = columns_of(statement)
        values = await parameters(connection, statement, args or [])
        read = row_reader(statement)
        # Before the commit: a row that no chain can hold undoes what made it.
        rows = [read(record) for record in await statement.fetch(*values)]
        _within(len(rows), client.settings.max_rows)
        changes = _changes(statement.get_statusmsg() or "")
    return Changes(changes=changes, rows=rows, columns=names)


@connector.tool(effect="once")
async def execute_many(
    client: Client,
    sql: Sql,
    args: Annotated[list[list[Json]], Field(description="One list of values for each run.")],
) -> Repeated:
    """Run one statement for each list of values, all or nothing."""
    async with client.writing() as connection:
        statement = await prepare(connection, sql)
        columns_of(statement)
        every = [await parameters(connection, statement, one, run) for run, one in enumerate(args)]
        await statement.executemany(every)
    return Repeated(count=len(args))


async def _fetch(
    cursor: Any, read: Any, limit: int | None, client: Client
) -> tuple[list[Row], bool]:
    """Rows up to the limit, and whether there were more. One too many is asked for."""
    most = client.settings.max_rows if limit is None else limit
    rows: list[Row] = []
    while len(rows) <= most:
        portion = await cursor.fetch(min(_PORTION, most + 1 - len(rows)))
        if not portion:
            return rows, False
        rows += map(read, portion)
    if limit is None:
        _within(len(rows), most)
    return rows[:most], True


def _within(count: int, most: int) -> None:
    if count > most:
        raise invalid(
            f"the result has more than {most} rows, the connection's max_rows;"
            " give `limit` to a query, or read them with postgresql.stream"
        )


def _changes(status: str) -> int:
    """The count in a command tag, such as "INSERT 0 5"."""
    word, _, rest = status.partition(" ")
    return int(rest.rpartition(" ")[2]) if word in _COUNTED else 0
