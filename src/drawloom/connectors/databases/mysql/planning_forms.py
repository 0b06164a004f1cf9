"""What the typed tools would do: rows that would be found are counted, and nothing is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drawloom.connectors.databases.mysql.changing import known_table
from drawloom.connectors.databases.mysql.columns import table_of
from drawloom.connectors.databases.mysql.forms import where_sql
from drawloom.connectors.databases.mysql.loading import load
from drawloom.connectors.databases.mysql.planning import explained
from drawloom.connectors.databases.mysql.routines import call
from drawloom.connectors.databases.mysql.tables import delete, insert, select, update, upsert
from drawloom.connectors.databases.mysql.transactions import transaction
from drawloom.sdk.planning import Does, Touch

if TYPE_CHECKING:
    from drawloom.connectors.databases.mysql.client import Client


@select.plan
async def _select(client: Client, table: str, where: Any = None, **_: Any) -> list[Touch]:
    return [await _found(client, "reads", table, where)]


@insert.plan
async def _insert(client: Client, table: str, rows: list[Any]) -> list[Touch]:
    return [await _added(client, table, rows, None)]


@upsert.plan
@load.plan
async def _upsert(client: Client, table: str, rows: Any, key: Any = None) -> list[Touch]:
    return [await _added(client, table, rows, key)]


@update.plan
async def _update(client: Client, table: str, where: Any, **_: Any) -> list[Touch]:
    return [await _found(client, "changes", table, where)]


@delete.plan
async def _delete(client: Client, table: str, where: Any, **_: Any) -> list[Touch]:
    return [await _found(client, "deletes", table, where)]


@transaction.plan
async def _transaction(client: Client, operations: list[Any], **_: Any) -> list[Touch]:
    return [touch for one in operations for touch in await _operation(client, one)]


@call.plan
async def _call(client: Client, routine: str, **_: Any) -> list[Touch]:
    return [Touch("runs", f"{routine} (what is in it is not looked at)")]


async def _operation(client: Client, one: Any) -> list[Touch]:
    given = {name: value for name, value in one.items() if name != "do"}
    if one["do"] == "execute":
        return await explained(client, one["sql"], one.get("args") or [])
    touches: list[Touch] = await _PLANNERS[one["do"]](client, **given)
    return touches


_PLANNERS = {
    "attempt": _transaction,
    "insert": _insert,
    "upsert": _upsert,
    "update": _update,
    "delete": _delete,
}


async def _added(client: Client, table: str, rows: Any, key: Any) -> Touch:
    """Rows that go in. Of a stream nobody knows how many come."""
    async with client.reading() as session:
        known = await known_table(client, session, table)
    count = len(rows) if isinstance(rows, list) else None
    if key is None:
        return Touch("creates", f"rows of {known.name}", count)
    return Touch("changes", f"rows of {known.name}, or creates them", count)


async def _found(client: Client, does: Does, table: str, where: Any) -> Touch:
    async with client.reading() as session:
        known = await table_of(
            session, table, is_mariadb=client.driver.is_mariadb(session.connection)
        )
        held = f" WHERE {where_sql(known, where)}" if where else ""
        [(count,)] = await session.rows(f"SELECT COUNT(*) FROM {known.sql}{held}")
    return Touch(does, f"rows of {known.name}", count)
