"""What the tools would do to the file, told without doing it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drawloom.connectors.databases.sqlite.statements import execute, query, transaction
from drawloom.connectors.databases.sqlite.streams import stream
from drawloom.connectors.databases.sqlite.tables import append, replace, tables, upsert
from drawloom.errors import invalid
from drawloom.sdk.planning import Touch

if TYPE_CHECKING:
    from drawloom.connectors.databases.sqlite.glance import Glance


@query.plan
@execute.plan
def _statement(glance: Glance, sql: str, **_: Any) -> list[Touch]:
    return glance.touches(sql)


@stream.plan
def _stream(glance: Glance, table: str, **_: Any) -> list[Touch]:
    if not glance.has_table(table):
        raise invalid(f"there is no table {table!r} now", path="/table")
    return [Touch("reads", f"rows of {table}", glance.rows(table))]


@transaction.plan
def _transaction(glance: Glance, statements: list[dict[str, Any]]) -> list[Touch]:
    return [touch for one in statements for touch in glance.touches(one["sql"])]


@append.plan
def _append(glance: Glance, table: str, rows: list[Any], **_: Any) -> list[Touch]:
    return [*_made(glance, table), Touch("creates", f"rows of {table}", len(rows))]


@upsert.plan
def _upsert(glance: Glance, table: str, rows: list[Any], **_: Any) -> list[Touch]:
    if not glance.has_table(table):
        return [*_made(glance, table), Touch("creates", f"rows of {table}", len(rows))]
    return [Touch("changes", f"rows of {table}, or creates them", len(rows))]


@replace.plan
def _replace(glance: Glance, table: str, rows: list[Any], **_: Any) -> list[Touch]:
    told = _made(glance, table)
    if not told:
        told = [Touch("deletes", f"rows of {table}", glance.rows(table))]
    return [*told, Touch("creates", f"rows of {table}", len(rows))]


@tables.plan
def _tables(glance: Glance, **_: Any) -> list[Touch]:
    return [Touch("reads", "the schema")]


def _made(glance: Glance, table: str) -> list[Touch]:
    told = [Touch("creates", "the database file")] if glance.is_new else []
    return told if glance.has_table(table) else [*told, Touch("creates", f"table {table}")]
