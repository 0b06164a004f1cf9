"""INSERT, UPDATE and DELETE from typed parts, on an open connection."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypeAlias

from drawloom.connectors.databases.postgresql.binding import bound, prepare
from drawloom.connectors.databases.postgresql.catalogue import Relation, find_relation, quoted
from drawloom.connectors.databases.postgresql.filters import Binder, Filter, where
from drawloom.connectors.databases.postgresql.results import Changes, changes_of
from drawloom.errors import invalid
from drawloom.sdk import Json, Row

MissingField: TypeAlias = Literal["error", "null"]


async def insert_on(
    connection: Any,
    most: int,
    *,
    table: str,
    rows: list[Row],
    schema: str | None = None,
    missing: MissingField = "error",
    returning: list[str] | None = None,
    key: Sequence[str] = (),
) -> Changes:
    """Add rows; with a *key*, change those that are there. *most* rows may come back."""
    relation = await find_relation(connection, table, schema)
    names = _names(relation, rows, key)
    if not rows:
        return Changes(changes=0, rows=[], columns=returning or [])
    sql = (
        f"INSERT INTO {relation.sql} ({relation.listed(names, '/rows')}) VALUES ({_marks(names)})"
    )
    sql += _on_conflict(names, key) + (_returning(relation, returning) or " RETURNING 1")
    statement = await prepare(connection, sql)
    values = [
        await bound(
            connection, statement, _cells(row, names, at, missing, key), _places(at, names)
        )
        for at, row in enumerate(rows)
    ]
    with naming((), rows=names):
        records = await statement.fetchmany(values)
    return _given_back(statement, records, returning, most)


async def update_on(
    connection: Any,
    most: int,
    *,
    table: str,
    values: Row,
    where: Filter | None = None,
    all: bool = False,
    schema: str | None = None,
    returning: list[str] | None = None,
) -> Changes:
    """Change the rows that a filter finds."""
    relation = await find_relation(connection, table, schema)
    binder = Binder()
    if not values:
        raise invalid("values names no column to change", path="/values")
    changes = [
        f"{relation.column(name, '/values')} = {binder.bind(value, f'/values/{name}')}"
        for name, value in values.items()
    ]
    sql = f"UPDATE {relation.sql} SET {', '.join(changes)}"
    sql += _chosen(relation, where, all, binder) + _returning(relation, returning)
    return await _run(connection, sql, binder, returning, most)


async def delete_on(
    connection: Any,
    most: int,
    *,
    table: str,
    where: Filter | None = None,
    all: bool = False,
    schema: str | None = None,
    returning: list[str] | None = None,
) -> Changes:
    """Delete the rows that a filter finds."""
    relation = await find_relation(connection, table, schema)
    binder = Binder()
    sql = f"DELETE FROM {relation.sql}{_chosen(relation, where, all, binder)}"
    sql += _returning(relation, returning)
    return await _run(connection, sql, binder, returning, most)


async def _run(
    connection: Any, sql: str, binder: Binder, returning: list[str] | None, most: int
) -> Changes:
    statement = await prepare(connection, sql)
    values = await bound(connection, statement, binder.values, binder.places)
    with naming(binder.places):
        records = await statement.fetch(*values)
    return changes_of(statement, records, most)


def _given_back(
    statement: Any, records: list[Any], returning: list[str] | None, most: int
) -> Changes:
    """Of a statement that ran once for each row: RETURNING tells how many there were."""
    if returning:
        told = changes_of(statement, records, most)
        return Changes(changes=len(records), rows=told["rows"], columns=told["columns"])
    return Changes(changes=len(records), rows=[], columns=[])


_REFUSED = re.compile(
    r"invalid input for query argument \$(\d+)(?: in element #(\d+) of executemany\(\) sequence)?: "
)


@contextmanager
def naming(places: Sequence[str], rows: Sequence[str] = ()) -> Iterator[None]:
    """Say in the driver's refusals which field had the value, for nobody wrote the `$n`.

    Of a statement that runs once for each row, *rows* has the columns instead.
    """
    import asyncpg

    try:
        yield
    except asyncpg.DataError as exc:
        refused = _REFUSED.match(str(exc))
        if refused is None:
            raise
        at = int(refused[1]) - 1
        place = places[at] if refused[2] is None else f"/rows/{refused[2]}/{rows[at]}"
        raise invalid(f"{place}: {str(exc)[refused.end() :]}", path=place) from exc


def _chosen(relation: Relation, given: Filter | None, all: bool, binder: Binder) -> str:
    """The WHERE clause of a write. All rows have to be asked for by name."""
    if (given is None) != all:
        told = "give either `where` or `all: true`, for a write without a filter changes every row"
        raise invalid(told, path="/where")
    return where(relation, given, binder)


def _names(relation: Relation, rows: list[Row], key: Sequence[str]) -> list[str]:
    """The columns that any row has, each of which must be one of the table."""
    names: dict[str, None] = {}
    for at, row in enumerate(rows):
        for name in row:
            if name not in names:
                relation.column(name, f"/rows/{at}/{name}")
                names[name] = None
    for at, name in enumerate(key):
        relation.column(name, f"/key/{at}")
        if rows and name not in names:
            raise invalid(f"key names {name!r}, which no row has", path=f"/key/{at}")
    if rows and not names:
        raise invalid("no row has a field: name a column to fill", path="/rows")
    return list(names)


def _places(at: int, names: list[str]) -> list[str]:
    return [f"/rows/{at}/{name}" for name in names]


def _marks(names: Sequence[str]) -> str:
    return ", ".join(f"${at + 1}" for at in range(len(names)))


def _cells(
    row: Mapping[str, Json], names: list[str], at: int, missing: MissingField, key: Sequence[str]
) -> list[Json]:
    if missing == "error" and len(row) < len(names):
        lost = next(name for name in names if name not in row)
        raise invalid(
            f"rows[{at}] has no {lost!r}; missing: null stores NULL for it", path=f"/rows/{at}"
        )
    for name in key:
        if row.get(name) is None:  # NULL equals nothing: a second call would add the row again
            raise invalid(f"rows[{at}].{name} is null, and part of the key", path=f"/rows/{at}")
    return [row.get(name) for name in names]


def _on_conflict(names: list[str], key: Sequence[str]) -> str:
    if not key:
        return ""
    rest = [quoted(name) for name in names if name not in key]
    action = f"UPDATE SET {', '.join(f'{n} = excluded.{n}' for n in rest)}" if rest else "NOTHING"
    return f" ON CONFLICT ({', '.join(map(quoted, key))}) DO {action}"


def _returning(relation: Relation, names: list[str] | None) -> str:
    return f" RETURNING {relation.listed(names, '/returning')}" if names else ""
