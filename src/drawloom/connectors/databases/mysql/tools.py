"""SQL as it is written: query, query_one, execute, execute_many."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from drawloom.connectors.databases.mysql.binding import (
    Statement,
    bound,
    read_statement,
    write_statement,
)
from drawloom.connectors.databases.mysql.connection import connector
from drawloom.connectors.databases.mysql.sessions import Cursor, Done
from drawloom.connectors.databases.mysql.values import (
    Column,
    exact_int,
    row_reader,
)
from drawloom.errors import invalid
from drawloom.sdk import Json, Row

if TYPE_CHECKING:
    from drawloom.connectors.databases.mysql.client import Client

Sql = Annotated[str, Field(min_length=1, description="One statement, with ? for each value.")]
Args = Annotated[list[Json] | None, Field(description="The values of the ?, in their order.")]
Limit = Annotated[int | None, Field(ge=0, description="Rows at most.")]

# Rows are fetched and encoded in portions, so that the event loop is never held for long.
_PORTION = 1_000
_COUNTED = frozenset({"INSERT", "UPDATE", "DELETE", "REPLACE", "WITH"})


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
    """What a statement did. `last_id` is the first AUTO_INCREMENT value that it gave.

    `rows` is what RETURNING gave (MariaDB).
    """

    changes: int
    last_id: int | str | None
    rows: list[Row]
    columns: list[str]


class Repeated(TypedDict):
    """How often the statement ran."""

    count: int


@connector.tool(effect="read")
async def query(client: Client, sql: Sql, args: Args = None, limit: Limit = None) -> Rows:
    """Run one SELECT and give its rows as objects.

    The session is READ ONLY, so the server refuses to write. DECIMAL and BIGINT
    beyond 2^53-1 come as decimal strings, times as RFC 3339, BLOB as base64.
    Without `limit`, more rows than the connection's `max_rows` are an error;
    `truncated` is true only where more rows than `limit` were there.
    """
    rows, columns, truncated = await fetched(client, sql, args, limit, row_reader)
    names = [column.name for column in columns]
    return Rows(rows=rows, columns=names, count=len(rows), truncated=truncated)


@connector.tool(effect="read")
async def query_one(client: Client, sql: Sql, args: Args = None) -> OneRow:
    """Run one SELECT that finds one row or none; more than one is an error."""
    found, _, more = await fetched(client, sql, args, 1, row_reader)
    if more:
        raise invalid("the SQL finds more than one row; narrow it, or use mysql.query")
    row = found[0] if found else None
    return OneRow(row=row, found=row is not None)


@connector.tool(effect="once")
async def execute(client: Client, sql: Sql, args: Args = None) -> Changes:
    """Run one statement that writes: INSERT, UPDATE, DELETE and REPLACE in a transaction.

    Anything else (CREATE, ALTER, SET, …) the server commits by itself. `changes`
    counts the rows that were found and touched, 0 for what is no change of rows.
    It is `once`: nobody can know what a repeated statement would do.
    """
    statement = write_statement(sql)
    entered = client.writing(clean=False) if statement.in_transaction else client.committing()
    async with entered as session:
        done = await session.run(bound(session.connection, statement, args or []))
        # Before the commit: a row that no chain can hold undoes what made it.
        return changes_of(statement, done, client.settings.max_rows)


@connector.tool(effect="once")
async def execute_many(
    client: Client,
    sql: Sql,
    args: Annotated[list[list[Json]], Field(description="One list of values for each run.")],
) -> Repeated:
    """Run one INSERT, UPDATE, DELETE or REPLACE for each list of values, all or nothing."""
    statement = write_statement(sql)
    if not statement.in_transaction:
        raise invalid(f"{statement.verb} commits by itself: run it by mysql.execute")
    async with client.writing(clean=False) as session:
        for run, one in enumerate(args):
            await session.run(bound(session.connection, statement, one, run))
    return Repeated(count=len(args))


Reader = Callable[[list[Column]], Callable[[Any], Any]]


async def fetched(
    client: Client, sql: str, args: list[Json] | None, limit: int | None, reader: Reader
) -> tuple[list[Any], list[Column], bool]:
    """The rows of a SELECT, its columns, and whether `limit` cut it off."""
    statement = read_statement(sql)
    async with client.reading(clean=statement.clean) as session:
        written = bound(session.connection, statement, args or [])
        async with session.reading(written) as cursor:
            rows, truncated = await fetch(cursor, reader(cursor.columns), limit, client)
    return rows, cursor.columns, truncated


async def fetch(
    cursor: Cursor, read: Any, limit: int | None, client: Client
) -> tuple[list[Any], bool]:
    """Rows up to the limit, and whether there were more. One too many is asked for."""
    most = client.settings.max_rows if limit is None else limit
    rows: list[Any] = []
    while len(rows) <= most:
        asked = min(_PORTION, most + 1 - len(rows))
        portion = await cursor.fetch(asked)
        rows += map(read, portion)
        if len(portion) < asked:
            return rows, False
    if limit is None:
        within(len(rows), most)
    return rows[:most], True


def within(count: int, most: int) -> None:
    """Raises `ToolError` (invalid) for more rows than one result may have."""
    if count > most:
        raise invalid(
            f"the result has more than {most} rows, the connection's max_rows;"
            " give `limit` to a query, or use mysql.stream"
        )


def changes_of(statement: Statement, done: Done, max_rows: int) -> Changes:
    """What the statement did, as a chain is told."""
    within(len(done.rows), max_rows)
    read = row_reader(done.columns)
    return Changes(
        changes=done.changes
        if statement.verb in _COUNTED and not done.columns
        else len(done.rows),
        last_id=exact_int(done.last_id) if done.last_id else None,
        rows=[read(record) for record in done.rows],
        columns=[column.name for column in done.columns],
    )
