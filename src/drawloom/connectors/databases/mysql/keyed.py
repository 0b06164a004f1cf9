"""Statements and rows that go in once: the keyed forms of execute and insert."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drawloom.connectors.databases.mysql.binding import bound, write_statement
from drawloom.connectors.databases.mysql.changing import Inserted, insert_rows
from drawloom.connectors.databases.mysql.connection import connector
from drawloom.connectors.databases.mysql.effects import once
from drawloom.connectors.databases.mysql.tables import TableName
from drawloom.connectors.databases.mysql.tools import Args, Changes, Sql, changes_of
from drawloom.errors import invalid
from drawloom.sdk import Context, Row

if TYPE_CHECKING:
    from drawloom.connectors.databases.mysql.client import Client
    from drawloom.connectors.databases.mysql.sessions import Session


@connector.tool(effect="keyed")
async def execute_keyed(client: Client, context: Context, sql: Sql, args: Args = None) -> Changes:
    """As `mysql.execute`, once however often it is called: the run's key goes in with it.

    Takes what a transaction can hold: INSERT, UPDATE, DELETE, REPLACE. The key and
    the result are a row of `drawloom_effects`, which is made when it is first needed.
    """
    statement = write_statement(sql)
    if not statement.in_transaction:
        raise invalid(f"{statement.verb} commits by itself, and so cannot be done just once")

    async def work(session: Session) -> Changes:
        done = await session.run(bound(session.connection, statement, args or []))
        return changes_of(statement, done, client.settings.max_rows)

    changes: Changes = await once(client, context.key, work, clean=False)
    return changes


@connector.tool(effect="keyed")
async def insert_keyed(
    client: Client, context: Context, table: TableName, rows: list[Row]
) -> Inserted:
    """As `mysql.insert`, once however often it is called: the run's key goes in with it."""

    async def work(session: Session) -> Inserted:
        return await insert_rows(client, session, table, rows)

    inserted: Inserted = await once(client, context.key, work)
    return inserted
