"""What the server has: databases, tables with their columns and keys, routines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from drawloom.connectors.databases.mysql.binding import literal
from drawloom.connectors.databases.mysql.connection import connector
from drawloom.connectors.databases.mysql.values import exact_int
from drawloom.errors import Failure, FailureKind, ToolError

if TYPE_CHECKING:
    from drawloom.connectors.databases.mysql.client import Client
    from drawloom.connectors.databases.mysql.sessions import Session

Schema = Annotated[
    str | None, Field(min_length=1, description="Another database than the connection's.")
]


class Schemas(TypedDict):
    """Names of the databases that the user may see, the server's own left out."""

    schemas: list[str]


class Column(TypedDict):
    """One column. `key` is its place in the primary key, from 1; 0 where it is in none."""

    name: str
    type: str
    nullable: bool
    default: str | None
    key: int
    generated: bool
    auto_increment: bool
    comment: str


class Index(TypedDict):
    """One index, its columns in their order."""

    name: str
    columns: list[str]
    unique: bool


class ForeignKey(TypedDict):
    """Columns that must stand in another table."""

    name: str
    columns: list[str]
    table: str
    references: list[str]


class Described(TypedDict):
    """One table or view. `rows` is the server's estimate."""

    name: str
    kind: str
    engine: str | None
    rows: int | str | None
    columns: list[Column]
    indexes: list[Index]
    foreign_keys: list[ForeignKey]


class Tables(TypedDict):
    """The tables and views of the database, by name."""

    tables: list[Described]


class Parameter(TypedDict):
    """One parameter. `mode` is IN, OUT or INOUT."""

    name: str
    mode: str
    type: str


class Routine(TypedDict):
    """A stored procedure or function. `returns` is the type of a function's value."""

    name: str
    kind: str
    parameters: list[Parameter]
    returns: str | None


class Routines(TypedDict):
    """The stored procedures and functions of the database, by name."""

    procedures: list[Routine]


@connector.tool(effect="read")
async def schemas(client: Client) -> Schemas:
    """Name the databases that the user may see."""
    sql = (
        "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME NOT IN"
        " ('information_schema', 'performance_schema', 'mysql', 'sys') ORDER BY SCHEMA_NAME"
    )
    async with client.reading() as session:
        return Schemas(schemas=[name for (name,) in await session.rows(sql)])


@connector.tool(effect="read")
async def tables(client: Client, table: str | None = None, schema: Schema = None) -> Tables:
    """Tell the tables and views: columns with their types, keys and indexes. Or of one of them."""
    async with client.reading() as session:
        where = _where(session, schema, table)
        found = await session.rows(
            "SELECT TABLE_NAME, TABLE_TYPE, ENGINE, TABLE_ROWS FROM information_schema.TABLES"
            f" WHERE {where} ORDER BY TABLE_NAME"
        )
        if table is not None and not found:
            raise ToolError(Failure(FailureKind.MISSING, f"there is no table {table!r}"))
        columns = await _columns(session, where)
        indexes = await _indexes(session, where)
        foreign = await _foreign_keys(session, where)
    return Tables(
        tables=[
            Described(
                name=name,
                kind="view" if "VIEW" in kind else "table",
                engine=engine,
                rows=None if rows is None else exact_int(rows),
                columns=columns.get(name, []),
                indexes=list(indexes.get(name, {}).values()),
                foreign_keys=list(foreign.get(name, {}).values()),
            )
            for name, kind, engine, rows in found
        ]
    )


@connector.tool(effect="read")
async def procedures(client: Client, schema: Schema = None) -> Routines:
    """Tell the stored procedures and functions: their parameters, with mode and type."""
    async with client.reading() as session:
        at = _schema(session, schema)
        rows = await session.rows(
            "SELECT r.ROUTINE_NAME, r.ROUTINE_TYPE, r.DTD_IDENTIFIER, p.ORDINAL_POSITION,"
            " p.PARAMETER_NAME, p.PARAMETER_MODE, p.DTD_IDENTIFIER"
            " FROM information_schema.ROUTINES AS r LEFT JOIN information_schema.PARAMETERS AS p"
            " ON p.SPECIFIC_SCHEMA = r.ROUTINE_SCHEMA AND p.SPECIFIC_NAME = r.SPECIFIC_NAME"
            f" AND p.ROUTINE_TYPE = r.ROUTINE_TYPE WHERE r.ROUTINE_SCHEMA = {at}"
            " ORDER BY r.ROUTINE_NAME, r.ROUTINE_TYPE, p.ORDINAL_POSITION"
        )
    return Routines(procedures=_routines(rows))


def _routines(rows: list[tuple[Any, ...]]) -> list[Routine]:
    found: dict[tuple[str, str], Routine] = {}
    for name, kind, returns, place, parameter, mode, declared in rows:
        one = found.setdefault(
            (name, kind),
            Routine(
                name=name,
                kind=kind.lower(),
                parameters=[],
                returns=returns if kind == "FUNCTION" else None,
            ),
        )
        if place:
            one["parameters"].append(Parameter(name=parameter, mode=mode or "IN", type=declared))
    return list(found.values())


def _schema(session: Session, schema: str | None) -> str:
    return "DATABASE()" if schema is None else literal(session.connection, schema)


def _where(session: Session, schema: str | None, table: str | None) -> str:
    where = f"TABLE_SCHEMA = {_schema(session, schema)}"
    return (
        where
        if table is None
        else f"{where} AND TABLE_NAME = {literal(session.connection, table)}"
    )


async def _columns(session: Session, where: str) -> dict[str, list[Column]]:
    keys = await session.rows(
        "SELECT TABLE_NAME, COLUMN_NAME, SEQ_IN_INDEX FROM information_schema.STATISTICS"
        f" WHERE {where} AND INDEX_NAME = 'PRIMARY'"
    )
    places = {(table, column): place for table, column, place in keys}
    rows = await session.rows(
        "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE = 'YES', COLUMN_DEFAULT, EXTRA,"
        f" GENERATION_EXPRESSION <> '', COLUMN_COMMENT FROM information_schema.COLUMNS"
        f" WHERE {where} ORDER BY TABLE_NAME, ORDINAL_POSITION"
    )
    found: dict[str, list[Column]] = {}
    for table, name, declared, nullable, default, extra, generated, comment in rows:
        found.setdefault(table, []).append(
            Column(
                name=name,
                type=declared,
                nullable=bool(nullable),
                default=default,
                key=places.get((table, name), 0),
                generated=bool(generated),
                auto_increment="auto_increment" in extra,
                comment=comment,
            )
        )
    return found


async def _indexes(session: Session, where: str) -> dict[str, dict[str, Index]]:
    rows = await session.rows(
        "SELECT TABLE_NAME, INDEX_NAME, COLUMN_NAME, NON_UNIQUE FROM information_schema.STATISTICS"
        f" WHERE {where} ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX"
    )
    found: dict[str, dict[str, Index]] = {}
    for table, name, column, repeats in rows:
        of_table = found.setdefault(table, {})
        one = of_table.setdefault(name, Index(name=name, columns=[], unique=not int(repeats)))
        one["columns"].append(column or "(expression)")
    return found


async def _foreign_keys(session: Session, where: str) -> dict[str, dict[str, ForeignKey]]:
    rows = await session.rows(
        "SELECT TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_NAME,"
        " REFERENCED_COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE"
        f" WHERE {where} AND REFERENCED_TABLE_NAME IS NOT NULL"
        " ORDER BY TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION"
    )
    found: dict[str, dict[str, ForeignKey]] = {}
    for table, name, column, other, theirs in rows:
        one = found.setdefault(table, {}).setdefault(
            name, ForeignKey(name=name, columns=[], table=other, references=[])
        )
        one["columns"].append(column)
        one["references"].append(theirs)
    return found
