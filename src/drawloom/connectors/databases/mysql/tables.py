"""Typed forms: select, insert, upsert, update and delete, by names and values instead of SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from drawloom.connectors.databases.mysql.changing import (
    Changed,
    Inserted,
    delete_rows,
    expected,
    insert_rows,
    update_rows,
)
from drawloom.connectors.databases.mysql.columns import table_of
from drawloom.connectors.databases.mysql.connection import connector
from drawloom.connectors.databases.mysql.effects import once
from drawloom.connectors.databases.mysql.forms import Order, Where, where_sql
from drawloom.connectors.databases.mysql.tools import rows_of
from drawloom.sdk import Context, Row
from drawloom.sdk.tables import KeyColumn, Limit, Rows, Shape

if TYPE_CHECKING:
    from drawloom.connectors.databases.mysql.client import Client
    from drawloom.connectors.databases.mysql.columns import Table
    from drawloom.connectors.databases.mysql.sessions import Session

TableName = Annotated[str, Field(min_length=1, description="The table's name, as it is: not SQL.")]
Key = Annotated[list[str], Field(min_length=1, description="Columns that tell rows apart.")]
Values = Annotated[Row, Field(min_length=1, description="A value for each column to change.")]
Expect = Annotated[
    int | None, Field(ge=0, description="How many rows must be found; else nothing is changed.")
]


@connector.tool(effect="read", encoded=True)
async def select(
    client: Client,
    table: TableName,
    columns: Annotated[list[str] | None, Field(min_length=1)] = None,
    where: Where | None = None,
    order_by: list[Order] | None = None,
    limit: Limit = None,
    shape: Shape = "objects",
    key: KeyColumn = None,
) -> Rows:
    """Read rows of one table; all of its columns unless `columns` names some.

    Without `limit`, more rows than the connection's `max_rows` are an error;
    `truncated` is true only where more rows than `limit` were there.
    """
    most = client.settings.max_rows if limit is None else limit
    async with client.reading() as session:
        table_ = await table_of(
            session, table, is_mariadb=client.driver.is_mariadb(session.connection)
        )
        listed = [table_.column(name, "columns").sql for name in columns or []]
        sql = f"SELECT {', '.join(listed) or '*'} FROM {table_.sql}"
        sql += f" WHERE {where_sql(table_, where)}" if where else ""
        sql += _ordered(table_, order_by or [])
        sql += "" if limit is None else f" LIMIT {limit + 1}"
        found = await session.read(sql, most + 2, table_)
    return rows_of(found, most, limit is not None, shape, key)


@connector.tool(effect="keyed")
async def insert(client: Client, table: TableName, rows: list[Row], context: Context) -> Inserted:
    """Add rows to a table, all or none, and once however often the engine calls.

    All have the fields that the first one has. Each value is converted by the type
    of its column, or refused with its place.
    """

    async def work(session: Session) -> Inserted:
        return await insert_rows(client, session, table, rows)

    return await once(client, context.key, work)


@connector.tool(effect="idempotent")
async def upsert(client: Client, table: TableName, rows: list[Row], key: Key) -> Inserted:
    """Add rows, or change those that are there with the same key; all or none.

    `key` is the primary key or a unique index, and the only one that a row can
    collide on. Of two rows with one key the later wins. Only the columns that
    the rows have are changed.
    """
    async with client.writing() as session:
        return await insert_rows(client, session, table, rows, key)


@connector.tool(effect="keyed")
async def update(
    client: Client,
    table: TableName,
    set: Values,
    where: Where,
    context: Context,
    expect: Expect = None,
) -> Changed:
    """Give columns a value in the rows of which `where` holds, once however often it is called.

    A repeated call changes no rows that came to fit since, and gives what the first one
    gave. `expect` makes it a conflict to find more or fewer.
    """

    async def work(session: Session) -> Changed:
        return expected(await update_rows(client, session, table, set, where), expect)

    return await once(client, context.key, work)


@connector.tool(effect="keyed")
async def delete(
    client: Client, table: TableName, where: Where, context: Context, expect: Expect = None
) -> Changed:
    """Delete the rows of which `where` holds, once however often the engine calls.

    A repeated call gives what the first one gave. `expect` makes it a conflict to find
    more or fewer.
    """

    async def work(session: Session) -> Changed:
        return expected(await delete_rows(client, session, table, where), expect)

    return await once(client, context.key, work)


def _ordered(table: Table, order: list[Order]) -> str:
    if not order:
        return ""
    parts = [
        table.column(one["column"], f"order_by[{at}]").sql
        + (" DESC" if one.get("descending") else "")
        for at, one in enumerate(order)
    ]
    return f" ORDER BY {', '.join(parts)}"
