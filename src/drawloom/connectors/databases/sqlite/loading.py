"""Rows of objects into a table: which columns, of which types, with which SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drawloom.connectors.databases.sqlite.columns import guess, storable
from drawloom.errors import ToolError, invalid
from drawloom.sdk import Failure, FailureKind, Row

if TYPE_CHECKING:
    from drawloom.connectors.databases.sqlite.handle import Handle

_LONGEST_NAME = 256


@dataclass(frozen=True, slots=True)
class Load:
    """What a caller wants in a table. `columns` gives types by name, for a table to be made."""

    table: str
    rows: list[Row]
    columns: dict[str, str] | None = None
    key: tuple[str, ...] = ()
    create: bool = True
    missing_is_null: bool = False


def quoted(name: str) -> str:
    """*name* as an SQL identifier, whatever stands in it."""
    if not name or "\0" in name or len(name) > _LONGEST_NAME:
        raise invalid(f"{name!r:.80} is no name for a table or column")
    return '"' + name.replace('"', '""') + '"'


def declared_columns(handle: Handle, table: str) -> dict[str, str]:
    """Type by name of the columns of *table* that can be written; empty where it is not there."""
    sql = "SELECT name, type FROM pragma_table_xinfo(?, 'main') WHERE hidden = 0"
    return dict(handle.fetch(sql, table))


def prepare(handle: Handle, load: Load) -> tuple[dict[str, str], bool]:
    """The columns to fill with their declared types, and whether the table was made for it."""
    quoted(load.table)
    names = _names(load)
    declared = declared_columns(handle, load.table)
    if declared:
        return _match(load.table, names, declared), False
    if not load.create:
        raise ToolError(Failure(FailureKind.MISSING, f"there is no table {load.table!r}"))
    types = _types(load, names)
    handle.apsw.execute(_create(load, types))
    return types, True


def insert(handle: Handle, load: Load, columns: dict[str, str]) -> int:
    """Write every row, or raise with the place of the one that will not go in."""
    listed = ", ".join(quoted(name) for name in columns)
    marks = ", ".join("?" * len(columns))
    sql = f"INSERT INTO main.{quoted(load.table)} ({listed}) VALUES ({marks}){_conflict(load, columns)}"
    stores = [(name, storable(declared)) for name, declared in columns.items()]
    rows = handle.checked(_parameters(load, stores))
    handle.apsw.executemany(sql, rows)
    return len(load.rows)


def _names(load: Load) -> list[str]:
    names = dict.fromkeys(load.columns or {})
    for place, row in enumerate(load.rows):
        if load.columns is None:
            names.update(dict.fromkeys(row))
        elif strange := [name for name in row if name not in names]:
            raise invalid(f"rows[{place}] has {strange[0]!r}, which `columns` does not name")
    if not names:
        raise invalid("no column is known: give `rows` with fields, or `columns`")
    if absent := [name for name in load.key if name not in names]:
        raise invalid(f"key names {absent[0]!r}, which no row has")
    return list(names)


def _match(table: str, names: list[str], declared: dict[str, str]) -> dict[str, str]:
    """Names of columns are compared as SQLite does: without regard to ASCII case."""
    types = {name.lower(): declared_type for name, declared_type in declared.items()}
    if strange := [name for name in names if name.lower() not in types]:
        known = ", ".join(declared)
        raise invalid(f"the table {table!r} has no column {strange[0]!r}; it has {known}")
    return {name: types[name.lower()] for name in names}


def _types(load: Load, names: list[str]) -> dict[str, str]:
    if load.columns is not None:
        return load.columns
    return {name: guess(row.get(name) for row in load.rows) for name in names}


def _create(load: Load, types: dict[str, str]) -> str:
    columns = [_column(name, declared, name in load.key) for name, declared in types.items()]
    if load.key:
        columns.append(f"PRIMARY KEY ({', '.join(map(quoted, load.key))})")
    return f"CREATE TABLE main.{quoted(load.table)} ({', '.join(columns)})"


def _column(name: str, declared: str, is_key: bool) -> str:
    return f"{quoted(name)} {declared}{' NOT NULL' if is_key else ''}"


def _conflict(load: Load, columns: dict[str, str]) -> str:
    if not load.key:
        return ""
    rest = [quoted(name) for name in columns if name not in load.key]
    changes = ", ".join(f"{name} = excluded.{name}" for name in rest)
    action = f"DO UPDATE SET {changes}" if rest else "DO NOTHING"
    return f" ON CONFLICT ({', '.join(map(quoted, load.key))}) {action}"


def _parameters(
    load: Load, stores: list[tuple[str, Callable[[Any], Any]]]
) -> Iterator[tuple[Any, ...]]:
    for place, row in enumerate(load.rows):
        if len(row) < len(stores) and not load.missing_is_null:
            lost = next(name for name, _ in stores if name not in row)
            raise invalid(f"rows[{place}] has no {lost!r}; missing: null stores NULL for it")
        yield tuple(_stored(load, row, place, name, store) for name, store in stores)


def _stored(load: Load, row: Row, place: int, name: str, store: Callable[[Any], Any]) -> Any:
    value = row.get(name)
    if value is None:
        if name in load.key:
            # NULL equals nothing, so a second load would add the row again.
            raise invalid(f"rows[{place}].{name} is null, and part of the key")
        return None
    try:
        return store(value)
    except ValueError as exc:
        raise invalid(f"rows[{place}].{name}: {exc}", table=load.table) from None
