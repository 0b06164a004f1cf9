"""Whole tables: append, upsert, replace, and what tables there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypedDict

from drawloom.connectors.databases.sqlite.connection import connector
from drawloom.connectors.databases.sqlite.loading import Load, insert, prepare, quoted
from drawloom.errors import Failure, FailureKind, ToolError
from drawloom.sdk import Row

if TYPE_CHECKING:
    from drawloom.connectors.databases.sqlite.database import Database
    from drawloom.connectors.databases.sqlite.handle import Handle

Table = Annotated[str, Field(min_length=1, description="The table's name, as it is: not SQL.")]
Type = Literal["INTEGER", "REAL", "TEXT", "BLOB", "NUMERIC", ""]
Columns = Annotated[
    dict[str, Type] | None,
    Field(description="Type by name, for a table that must be made. Without it, the rows tell."),
]
Missing = Annotated[
    Literal["error", "null"], Field(description="What a row means that lacks a field of others.")
]


class Loaded(TypedDict):
    """How many rows went in, and whether the table was made for them."""

    table: str
    count: int
    created: bool


class Column(TypedDict):
    """One column. `key` is its place in the primary key, from 1; 0 where it is in none."""

    name: str
    type: str
    nullable: bool
    default: str | None
    key: int
    generated: bool


class ForeignKey(TypedDict):
    """Columns that must stand in another table."""

    columns: list[str]
    table: str
    references: list[str | None]


class Described(TypedDict):
    """One table or view."""

    name: str
    kind: str
    columns: list[Column]
    unique: list[list[str]]
    foreign_keys: list[ForeignKey]


class Tables(TypedDict):
    """The tables and views of the file, by name."""

    tables: list[Described]


@connector.tool(effect="once")
async def append(
    database: Database,
    table: Table,
    rows: list[Row],
    columns: Columns = None,
    create: bool = True,
    missing: Missing = "error",
) -> Loaded:
    """Add rows to a table, all or none; make the table if it is not there.

    What a column's type would change in silence ("007" in an INTEGER column) is
    refused with the row's number. Booleans are stored as 1 and 0, lists and
    objects as JSON text; a BLOB column takes base64.
    """
    load = Load(table, rows, _plain(columns), (), create, missing == "null")
    return await database.write(lambda handle: _load(handle, load))


@connector.tool(effect="idempotent")
async def upsert(
    database: Database,
    table: Table,
    rows: list[Row],
    key: Annotated[list[str], Field(min_length=1, description="Columns that tell rows apart.")],
    columns: Columns = None,
    create: bool = True,
    missing: Missing = "error",
) -> Loaded:
    """Add rows, or change those that are there with the same key; all or none.

    The table needs a primary key or a unique index on `key`; one that is made
    here gets it. Of two rows with one key the later wins. Only the columns
    that the rows have are changed.
    """
    load = Load(table, rows, _plain(columns), tuple(key), create, missing == "null")
    return await database.write(lambda handle: _load(handle, load))


@connector.tool(effect="idempotent")
async def replace(
    database: Database,
    table: Table,
    rows: list[Row],
    columns: Columns = None,
    create: bool = True,
    missing: Missing = "error",
) -> Loaded:
    """Make these rows the whole content of a table; all or nothing.

    The table itself, its indexes and its triggers stay. Other connections see
    either the old content or the new.
    """
    load = Load(table, rows, _plain(columns), (), create, missing == "null")
    return await database.write(lambda handle: _load(handle, load, emptied=True))


@connector.tool(effect="read")
async def tables(database: Database, table: str | None = None) -> Tables:
    """Tell the tables and views of the file: columns, types, keys. Or of one of them."""
    return await database.read(lambda handle: Tables(tables=_describe_all(handle, table)))


def _plain(columns: dict[str, Type] | None) -> dict[str, str] | None:
    return None if columns is None else dict(columns)


def _load(handle: Handle, load: Load, *, emptied: bool = False) -> Loaded:
    columns, created = prepare(handle, load)
    if emptied and not created:
        handle.apsw.execute(f"DELETE FROM main.{quoted(load.table)}")
    count = insert(handle, load, columns)
    return Loaded(table=load.table, count=count, created=created)


def _describe_all(handle: Handle, wanted: str | None) -> list[Described]:
    sql = (
        "SELECT name, type FROM pragma_table_list WHERE schema = 'main'"
        " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND type <> 'shadow'"
        " AND (?1 IS NULL OR lower(name) = lower(?1)) ORDER BY name"
    )
    found = handle.fetch(sql, wanted)
    if wanted is not None and not found:
        raise ToolError(Failure(FailureKind.MISSING, f"there is no table {wanted!r}"))
    return [_describe(handle, name, kind) for name, kind in found]


def _describe(handle: Handle, name: str, kind: str) -> Described:
    return Described(
        name=name,
        kind=kind,
        columns=_columns(handle, name),
        unique=_unique(handle, name),
        foreign_keys=_foreign_keys(handle, name),
    )


def _columns(handle: Handle, table: str) -> list[Column]:
    sql = (
        "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(?, 'main')"
        " WHERE hidden <> 1"
    )
    return [
        Column(
            name=name,
            type=declared,
            nullable=not strict,
            default=default,
            key=place,
            generated=hidden in (2, 3),
        )
        for name, declared, strict, default, place, hidden in handle.fetch(sql, table)
    ]


def _unique(handle: Handle, table: str) -> list[list[str]]:
    """The sets of columns that a unique index tells rows apart by."""
    sql = "SELECT name FROM pragma_index_list(?, 'main') WHERE \"unique\" AND NOT partial ORDER BY seq"
    parts = "SELECT name FROM pragma_index_info(?, 'main') ORDER BY seqno"
    indexes = handle.fetch(sql, table)
    found = [[c for (c,) in handle.fetch(parts, *index)] for index in indexes]
    return [columns for columns in found if None not in columns]  # None: an expression


def _foreign_keys(handle: Handle, table: str) -> list[ForeignKey]:
    sql = (
        'SELECT id, "table", "from", "to" FROM pragma_foreign_key_list(?, \'main\')'
        " ORDER BY id, seq"
    )
    found: dict[Any, ForeignKey] = {}
    for number, other, own, theirs in handle.fetch(sql, table):
        one = found.setdefault(number, ForeignKey(columns=[], table=other, references=[]))
        one["columns"].append(own)
        one["references"].append(theirs)
    return list(found.values())
