"""What statements would do, by the server's own plan: EXPLAIN, rolled back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from drawloom.connectors.databases.mysql.binding import Statement, bound, parsed
from drawloom.connectors.databases.mysql.streams import stream
from drawloom.connectors.databases.mysql.tools import execute, execute_many, query, query_one
from drawloom.sdk import Json
from drawloom.sdk.planning import Does, Touch, for_each_of

if TYPE_CHECKING:
    from drawloom.connectors.databases.mysql.client import Client

_DOES: Mapping[str, Does] = {
    "INSERT": "creates",
    "REPLACE": "changes",
    "UPDATE": "changes",
    "DELETE": "deletes",
}
_EXPLAINED = frozenset({*_DOES, "SELECT", "WITH"})


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
    """What the server's plan of *sql* names: tables, and how many rows it expects of each."""
    statement = parsed(sql)
    if statement.verb not in _EXPLAINED:
        return [Touch("runs", f"{' '.join(sql.split())[:100]} (the server does not explain it)")]
    # The reset afterwards rolls back: a subquery may have been run for the plan.
    async with client.reading(clean=False) as session:
        if statement.verb in _DOES:
            await session.begin(None)  # even the plan of a write is refused by READ ONLY
        done = await session.call(f"EXPLAIN {bound(session.connection, statement, args)}")
    names = [column.name for column in done.columns]
    plan = [dict(zip(names, row, strict=True)) for row in done.rows]
    found = {(touch.does, touch.what): touch for touch in _touches(statement, plan)}
    if not found and statement.verb in _DOES:  # of a DELETE of all rows no table is named
        return [Touch(_DOES[statement.verb], f"all rows: {' '.join(sql.split())[:100]}")]
    return list(found.values()) or [Touch("reads", "no table")]


def _touches(statement: Statement, plan: list[dict[str, Any]]) -> list[Touch]:
    """The first table of a writing statement is the one that it changes."""
    named = [line for line in plan if line["table"] and not line["table"].startswith("<")]
    does = [_DOES.get(statement.verb, "reads") if at == 0 else "reads" for at in range(len(named))]
    return [
        Touch(did, f"rows of {line['table']}", _count(line["rows"]), estimated=True)
        for did, line in zip(does, named, strict=True)
    ]


def _count(rows: Any) -> int | None:
    return None if rows is None else int(rows)
