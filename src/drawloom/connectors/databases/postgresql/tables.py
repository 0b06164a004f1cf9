"""Rows of one table, without SQL: select, insert, upsert, update, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from drawloom.connectors.databases.postgresql.binding import bound, prepare
from drawloom.connectors.databases.postgresql.catalogue import Relation, find_relation
from drawloom.connectors.databases.postgresql.connection import connector
from drawloom.connectors.databases.postgresql.effects import once
from drawloom.connectors.databases.postgresql.filters import (
    Binder,
    Filter,
    Order,
    order_by,
)
from drawloom.connectors.databases.postgresql.filters import (
    where as where_clause,
)
from drawloom.connectors.databases.postgresql.results import (
    Changes,
    rows_of,
)
from drawloom.connectors.databases.postgresql.statements import Prepared
from drawloom.connectors.databases.postgresql.writing import (
    MissingField,
    delete_on,
    insert_on,
    naming,
    update_on,
)
from drawloom.sdk import Context, Row
from drawloom.sdk.tables import KeyColumn, Limit, Rows, Shape, shaping

if TYPE_CHECKING:
    from drawloom.connectors.databases.postgresql.client import Client

Table = Annotated[str, Field(min_length=1, description="The table's name, as it is: not SQL.")]
Schema = Annotated[
    str | None, Field(description="The table's schema. Without it, the search path tells.")
]
Names = Annotated[list[str] | None, Field(min_length=1, description="Columns; else all.")]
Where = Annotated[Filter | None, Field(description="A condition, or an `and` or `or` of some.")]
Everything = Annotated[bool, Field(description="Every row of the table, instead of `where`.")]
Missing = Annotated[
    MissingField, Field(description="What a row means that lacks a field of others.")
]
Returning = Annotated[
    list[str] | None, Field(min_length=1, description="Columns to give back of each row.")
]


@connector.tool(effect="read", encoded=True)
async def select(
    client: Client,
    table: Table,
    columns: Names = None,
    where: Where = None,
    order: list[Order] | None = None,
    limit: Limit = None,
    schema: Schema = None,
    shape: Shape = "objects",
    key: KeyColumn = None,
) -> Rows:
    """Read rows of one table or view: those that a filter finds, in an order.

    Without `limit`, more rows than the connection's `max_rows` are an error;
    `truncated` is true only where more rows than `limit` were there.
    """
    most = client.settings.max_rows if limit is None else limit
    async with client.reading() as connection:
        relation = await find_relation(connection, table, schema)
        binder = Binder()
        sql = selection(relation, columns, where, binder) + order_by(relation, order)
        sql = sql if limit is None else f"{sql} LIMIT {limit + 1}"
        statement = Prepared(await prepare(connection, sql))
        form = shaping(shape, key, columns or list(relation.columns))
        values = await bound(connection, statement.statement, binder.values, binder.places)
        with naming(binder.places):
            records = await statement.fetch(values, most + 1)
    return await rows_of(statement, records, most, limit is not None, form)


def selection(
    relation: Relation, columns: list[str] | None, where: Filter | None, binder: Binder
) -> str:
    """The SELECT of some columns and rows of a table."""
    listed = relation.listed(columns or relation.columns, "/columns")
    return f"SELECT {listed} FROM {relation.sql}{where_clause(relation, where, binder)}"


@connector.tool(effect="keyed")
async def insert(
    client: Client,
    table: Table,
    rows: list[Row],
    context: Context,
    schema: Schema = None,
    missing: Missing = "error",
    returning: Returning = None,
) -> Changes:
    """Add rows to a table, all or none, and once however often the engine calls.

    Columns that no row names get their defaults. `rows` of the result has what
    `returning` asks for, in the order of the rows that went in.
    """
    return await once(
        client,
        context.key,
        lambda connection: insert_on(
            connection, client.settings.max_rows,
            table=table, rows=rows, schema=schema, missing=missing, returning=returning,
        ),
    )  # fmt: skip


@connector.tool(effect="idempotent")
async def upsert(
    client: Client,
    table: Table,
    rows: list[Row],
    key: Annotated[list[str], Field(min_length=1, description="Columns that tell rows apart.")],
    schema: Schema = None,
    missing: Missing = "error",
    returning: Returning = None,
) -> Changes:
    """Add rows, or change those that are there with the same key; all or none.

    The table needs a primary key or a unique index on `key`. Of two rows with
    one key the later wins. Only the columns that the rows have are changed.
    """
    async with client.writing() as connection:
        return await insert_on(
            connection, client.settings.max_rows, table=table, rows=rows, key=key,
            schema=schema, missing=missing, returning=returning,
        )  # fmt: skip


@connector.tool(effect="keyed")
async def update(
    client: Client,
    table: Table,
    values: Annotated[Row, Field(description="The new value of each column to change.")],
    context: Context,
    where: Where = None,
    all: Everything = False,
    schema: Schema = None,
    returning: Returning = None,
) -> Changes:
    """Change the rows of a table that a filter finds, once however often the engine calls.

    Without a filter, `all: true` must say so. A repeated call changes no rows that came
    to fit the filter since, and gives what the first one gave.
    """
    return await once(
        client,
        context.key,
        lambda connection: update_on(
            connection, client.settings.max_rows, table=table, values=values, where=where,
            all=all, schema=schema, returning=returning,
        ),
    )  # fmt: skip


@connector.tool(effect="keyed")
async def delete(
    client: Client,
    table: Table,
    context: Context,
    where: Where = None,
    all: Everything = False,
    schema: Schema = None,
    returning: Returning = None,
) -> Changes:
    """Delete the rows of a table that a filter finds, once however often the engine calls.

    Without a filter, `all: true` must say so. A repeated call gives what the first one
    gave, the deleted rows of `returning` included.
    """
    return await once(
        client,
        context.key,
        lambda connection: delete_on(
            connection, client.settings.max_rows, table=table, where=where,
            all=all, schema=schema, returning=returning,
        ),
    )  # fmt: skip
