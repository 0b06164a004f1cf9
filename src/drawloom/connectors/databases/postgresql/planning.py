"""What the tools would do, by the server's own plan: EXPLAIN, in a READ ONLY transaction."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from drawloom.connectors.databases.postgresql.binding import parameters, prepare
from drawloom.connectors.databases.postgresql.streams import stream
from drawloom.connectors.databases.postgresql.tools import (
    execute,
    execute_many,
    query,
    query_one,
)
from drawloom.sdk import Json
from drawloom.sdk.planning import Does, Touch, for_each_of

if TYPE_CHECKING:
    from drawloom.connectors.databases.postgresql.client import Client

_DOES: Mapping[str, Does] = {
    "Insert": "creates",
    "Update": "changes",
    "Delete": "deletes",
    "Merge": "changes",
}
_EXPLAINED = frozenset(
    {"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "VALUES", "WITH", "TABLE"}
)


@query.plan
@query_one.plan
@stream.plan
@execute.plan
async def _one(client: Client, sql: str, args: list[Json] | None = None, **_: Any) -> list[Touch]:
    return await explained(client, sql, args or [])


@execute_many.plan
async def _many(client: Client, sql: str, args: list[list[Json]]) -> list[Touch]:
    if not args:
        return []
    return for_each_of(len(args), await explained(client, sql, args[0]))


async def explained(client: Client, sql: str, args: list[Json]) -> list[Touch]:
    """What the server's plan of one statement touches."""
    word = sql.split(maxsplit=1)[0].upper() if sql.strip() else ""
    if word.strip("(;") not in _EXPLAINED:
        return [Touch("runs", f"{' '.join(sql.split())[:100]} (the server does not explain it)")]
    async with client.reading() as connection:
        statement = await prepare(connection, f"EXPLAIN (FORMAT JSON) {sql}")
        values = await parameters(connection, await prepare(connection, sql), args)
        told = await statement.fetchval(*values)
    plan = json.loads(told) if isinstance(told, str) else told
    found = {(touch.does, touch.what): touch for touch in _touches(plan[0]["Plan"])}
    return list(found.values()) or [Touch("reads", "no table")]


def _touches(node: Mapping[str, Any]) -> Iterator[Touch]:
    below = node.get("Plans", ())
    name = node.get("Relation Name")
    if node["Node Type"] == "ModifyTable":
        rows = below[0]["Plan Rows"] if below else None
        yield Touch(_DOES[node["Operation"]], f"rows of {name}", rows, estimated=True)
    elif name is not None:
        yield Touch("reads", f"rows of {name}", node["Plan Rows"], estimated=True)
    for inner in below:
        yield from _touches(inner)
