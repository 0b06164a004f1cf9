"""What COPY would do: the rows that the server expects, and the files of the folder."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from drawloom.connectors.databases.postgresql.catalogue import find_relation
from drawloom.connectors.databases.postgresql.copy_files import (
    Source,
    copy_from_file,
    copy_to_file,
)
from drawloom.connectors.databases.postgresql.copying import copy_in
from drawloom.connectors.databases.postgresql.planning import explained
from drawloom.sdk import invalid
from drawloom.sdk.planning import Touch

if TYPE_CHECKING:
    from drawloom.connectors.databases.postgresql.client import Client


@copy_in.plan
async def _rows(
    client: Client, table: str, rows: Any, schema: str | None = None, **_: Any
) -> list[Touch]:
    async with client.reading() as connection:
        relation = await find_relation(connection, table, schema)
    if isinstance(rows, list):
        return [Touch("creates", f"rows of {relation.name}", len(rows))]
    return [Touch("creates", f"rows of {relation.name}, as many as come")]


@copy_from_file.plan
async def _from_file(
    client: Client, table: str, path: str, schema: str | None = None, **_: Any
) -> list[Touch]:
    async with client.reading() as connection:
        relation = await find_relation(connection, table, schema)
    found = await asyncio.to_thread(client.folder.find, path)
    if found is None:
        raise invalid(f"there is no file {path!r} now", path="/path")
    return [
        Touch("reads", f"bytes of {path}", found.bytes),
        Touch("creates", f"rows of {relation.name}, as many as the file has"),
    ]


@copy_to_file.plan
async def _to_file(
    client: Client,
    path: str,
    sql: str | None = None,
    args: list[Any] | None = None,
    table: str | None = None,
    columns: list[str] | None = None,
    where: Any = None,
    order: Any = None,
    schema: str | None = None,
    **_: Any,
) -> list[Touch]:
    source = Source(sql, args, table, columns, where, order, schema)
    async with client.reading() as connection:
        written, binder = await source.written(connection)
    told = await explained(client, written, binder.values)
    found = await asyncio.to_thread(client.folder.find, path)
    if found is None:
        return [*told, Touch("creates", path)]
    return [*told, Touch("changes", f"{path}; now {found.bytes} bytes")]
