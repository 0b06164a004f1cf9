"""SQL as it is written: query, query_one, execute, execute_many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field
from typing_extensions import TypedDict

from drawloom.connectors.databases.mysql.binding import (
    Statement,
    bound,
    read_statement,
    write_statement,
)
from drawloom.connectors.databases.mysql.connection import connector
from drawloom.connectors.databases.mysql.reading import Reader
from drawloom.connectors.databases.mysql.sessions import Done, Found
from drawloom.connectors.databases.mysql.values import exact_int
from drawloom.errors import invalid
from drawloom.sdk import Json, Row
from drawloom.sdk.tables import KeyColumn, Limit, Rows, Shape, check_count, shaping

if TYPE_CHECKING:
    from drawloom.connectors.databases.mysql.client import Client

Sql = Annotated[str, Field(min_length=1, description="One statement, with ? for each value.")]
Args = Annotated[list[Json] | None, Field(description="The values of the ?, in their order.")]

_COUNTED = frozenset({"INSERT", "UPDATE", "DELETE", "REPLACE", "WITH"})


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


@connector.tool(effect="read", encoded=True)
async def query(
    client: Client,
    sql: Sql,
    args: Args = None,
    limit: Limit = None,
    shape: Shape = "objects",
    key: KeyColumn = None,
) -> Rows:
    """Run one SELECT and give its rows, as objects or in another shape.

    The session is READ ONLY, so the server refuses to write. DECIMAL and BIGINT
    beyond 2^53-1 come as decimal strings, times as RFC 3339, BLOB as base64.
    Without `limit`, more rows than the connection's `max_rows` are an error;
    `truncated` is true only where more rows than `limit` were there.
    """
    most = client.settings.max_rows if limit is None else limit
    found = await client.read(read_statement(sql), args or [], most + 1)
    return rows_of(found, most, limit is not None, shape, key)


@connector.tool(effect="read", encoded=True)
async def query_one(client: Client, sql: Sql, args: Args = None) -> OneRow:
    """Run one SELECT that finds one row or none; more than one is an error."""
    _, found = await client.read(read_statement(sql), args or [], 2)
    if len(found) > 1:
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


def rows_of(found: Found, most: int, limited: bool, shape: str, key: str | None) -> Rows:
    """What a query found, *most* rows of it, in a shape.

    There is one more where there were more: an error, unless the query is *limited*.
    """
    rows, names = found.rows, found.reader.names
    form = shaping(shape, key, names)
    truncated = len(rows) > most
    if not limited:
        check_count(len(rows), most, "mysql.stream")
    del rows[most:]
    return Rows(rows=form(rows), columns=names, count=len(rows), truncated=truncated)


def changes_of(statement: Statement, done: Done, max_rows: int) -> Changes:
    """What the statement did, as a chain is told."""
    check_count(len(done.rows), max_rows, "mysql.stream")
    reader = Reader(done.columns)
    return Changes(
        changes=done.changes
        if statement.verb in _COUNTED and not done.columns
        else len(done.rows),
        last_id=exact_int(done.last_id) if done.last_id else None,
        rows=reader.many(done.rows),
        columns=reader.names,
    )
