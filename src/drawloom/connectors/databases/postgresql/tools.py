"""SQL as it is written: query, query_one, execute, execute_many."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from drawloom.connectors.databases.postgresql.binding import (
    columns_of,
    parameters,
    prepare,
)
from drawloom.connectors.databases.postgresql.connection import connector
from drawloom.connectors.databases.postgresql.results import (
    Changes,
    changes_of,
    rows_of,
)
from drawloom.errors import invalid
from drawloom.sdk import Json, Row
from drawloom.sdk.tables import KeyColumn, Limit, Rows, Shape, shaping

if TYPE_CHECKING:
    from drawloom.connectors.databases.postgresql.client import Client

Sql = Annotated[str, Field(min_length=1, description="One statement, with $1, $2 … for values.")]
Args = Annotated[list[Json] | None, Field(description="The values of $1, $2 …")]


class OneRow(TypedDict):
    """The one row, or null."""

    row: Row | None
    found: bool


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

    The transaction is READ ONLY, so the server refuses to write. numeric and
    int8 beyond 2^53-1 come as decimal strings, times as RFC 3339, bytea as
    base64. Without `limit`, more rows than the connection's `max_rows` are an
    error; `truncated` is true only where more rows than `limit` were there.
    """
    most = client.settings.max_rows if limit is None else limit
    form = partial(shaping, shape, key)
    found = await client.read(sql, args or [], most + 1, check=form)
    return await rows_of(*found, most, limit is not None, form(found.statement.columns))


@connector.tool(effect="read", encoded=True)
async def query_one(client: Client, sql: Sql, args: Args = None) -> OneRow:
    """Run one SELECT that finds one row or none; more than one is an error."""
    statement, found = await client.read(sql, args or [], 2)
    if len(found) > 1:
        raise invalid("the SQL finds more than one row; narrow it, or use postgresql.query")
    row = statement.reader.one(found[0]) if found else None
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
        return await execute_on(connection, sql, args or [], client.settings.max_rows)


async def execute_on(connection: Any, sql: str, args: list[Json], most: int) -> Changes:
    """One statement on an open connection, and what it did."""
    statement = await prepare(connection, sql)
    columns_of(statement)
    values = await parameters(connection, statement, args)
    return changes_of(statement, await statement.fetch(*values), most)


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
