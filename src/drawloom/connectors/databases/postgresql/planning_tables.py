"""What the tools without SQL would do: how many rows the server's planner expects them to find."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from drawloom.connectors.databases.postgresql.binding import bound, prepare
from drawloom.connectors.databases.postgresql.catalogue import find_relation
from drawloom.connectors.databases.postgresql.filters import Binder, Filter
from drawloom.connectors.databases.postgresql.notifying import notify
from drawloom.connectors.databases.postgresql.planning import explained
from drawloom.connectors.databases.postgresql.tables import (
    delete,
    insert,
    select,
    selection,
    update,
    upsert,
)
from drawloom.connectors.databases.postgresql.transactions import transaction
from drawloom.sdk import Row
from drawloom.sdk.planning import Does, Touch

if TYPE_CHECKING:
    from drawloom.connectors.databases.postgresql.client import Client

_DOES: dict[str, Does] = {"update": "changes", "delete": "deletes"}


@select.plan
async def _reads(client: Client, **given: Any) -> list[Touch]:
    return [await _found(client, "reads", **given)]


@update.plan
async def _changes(client: Client, **given: Any) -> list[Touch]:
    return [await _found(client, "changes", **given)]


@delete.plan
async def _deletes(client: Client, **given: Any) -> list[Touch]:
    return [await _found(client, "deletes", **given)]


@insert.plan
async def _adds(client: Client, **given: Any) -> list[Touch]:
    return [await _added(client, "creates", **given)]


@upsert.plan
async def _adds_or_changes(client: Client, **given: Any) -> list[Touch]:
    return [await _added(client, "changes", **given)]


@notify.plan
async def _sends(client: Client, channel: str, **_: Any) -> list[Touch]:
    return [Touch("sends", f"a message on the channel {channel}")]


@transaction.plan
async def _each(client: Client, operations: list[Any], **_: Any) -> list[Touch]:
    return [touch for one in operations for touch in await _of_operation(client, **one)]


async def _of_operation(client: Client, do: str, **given: Any) -> list[Touch]:
    if do == "execute":
        return await explained(client, given["sql"], given.get("args", []))
    if do in _DOES:
        return [await _found(client, _DOES[do], **given)]
    return [await _added(client, "creates" if do == "insert" else "changes", **given)]


async def _found(
    client: Client,
    does: Does,
    table: str,
    where: Filter | None = None,
    schema: str | None = None,
    **_: Any,
) -> Touch:
    async with client.reading() as connection:
        relation = await find_relation(connection, table, schema)
        binder = Binder()
        sql = selection(relation, None, where, binder)
        statement = await prepare(connection, sql)
        values = await bound(connection, statement, binder.values, binder.places)
        told = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {sql}", *values)
    [plan] = json.loads(told) if isinstance(told, str) else told
    return Touch(does, f"rows of {relation.name}", plan["Plan"]["Plan Rows"], estimated=True)


async def _added(
    client: Client, does: Does, table: str, rows: list[Row], schema: str | None = None, **_: Any
) -> Touch:
    async with client.reading() as connection:
        relation = await find_relation(connection, table, schema)
    return Touch(does, f"rows of {relation.name}", len(rows))
