"""Rows in bulk: a whole stream into a table, by one transaction.

Rows go in by INSERTs of many rows each. LOAD DATA LOCAL would be quicker for the
server, and is not used: the capability that it needs lets whoever answers at the
address ask for any file of this machine at any time, and the server then takes
values that do not fit, for LOCAL means IGNORE.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from drawloom.connectors.databases.mysql.changing import Inserted, Loading
from drawloom.connectors.databases.mysql.connection import connector
from drawloom.connectors.databases.mysql.effects import once
from drawloom.connectors.databases.mysql.tables import TableName
from drawloom.sdk import Context, Row, Stream

if TYPE_CHECKING:
    from drawloom.connectors.databases.mysql.client import Client
    from drawloom.connectors.databases.mysql.sessions import Session

LoadKey = Annotated[
    list[str] | None,
    Field(min_length=1, description="With it, rows that are there with the same key are changed."),
]


@connector.tool(effect="keyed", timeout=3_600.0)
async def load(
    client: Client, table: TableName, rows: Stream[Row], context: Context, key: LoadKey = None
) -> Inserted:
    """Take a stream of rows, or a list, into a table: all or none, once however often it is called.

    Memory does not grow with the rows. One transaction holds them all, and a
    connection for as long as the stream takes.
    """

    async def work(session: Session) -> Inserted:
        loading = Loading(client, session, table, key)
        async for some in rows.chunks():
            await loading.add(some)
        return loading.inserted()

    return await once(client, context.key, work)
