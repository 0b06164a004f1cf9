"""What a database holds: schemas, tables, columns, keys, indexes, enums."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from drawloom.connectors.databases.postgresql.connection import connector
from drawloom.connectors.databases.postgresql.describing import StatementInfo, describe

if TYPE_CHECKING:
    from drawloom.connectors.databases.postgresql.client import Client

OfSchema = Annotated[str | None, Field(description="Of this schema alone.")]
OfTable = Annotated[str | None, Field(description="Of this table alone.")]

_OWN = "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'"
_KIND = (
    "CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view'"
    " WHEN 'm' THEN 'materialized view' ELSE 'foreign table' END"
)
_OF = """
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
"""
_ASKED = f"""
    {_OWN} AND ($1::text IS NULL OR n.nspname = $1) AND ($2::text IS NULL OR c.relname = $2)
    AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
"""


class SchemaInfo(TypedDict):
    """One schema."""

    name: str
    owner: str
    comment: str | None


class Schemas(TypedDict):
    """The schemas that are not the server's own, by name."""

    schemas: list[SchemaInfo]


class TableInfo(TypedDict):
    """One table or view. `estimated_rows` is what the planner thinks, null if it was never told."""

    schema: str
    name: str
    kind: str
    estimated_rows: int | None
    comment: str | None


class Tables(TypedDict):
    """Tables and views, by schema and name."""

    tables: list[TableInfo]


class ColumnInfo(TypedDict):
    """One column. `base` is the type below a domain; `default` is SQL, null where there is none."""

    schema: str
    table: str
    name: str
    type: str
    base: str
    nullable: bool
    default: str | None
    generated: bool
    comment: str | None


class Columns(TypedDict):
    """Columns, in the order of their tables."""

    columns: list[ColumnInfo]


class KeyInfo(TypedDict):
    """One constraint: primary, unique, foreign or exclusion. `references` is of a foreign one."""

    schema: str
    table: str
    name: str
    kind: str
    columns: list[str]
    references: str | None
    referenced: list[str]
    definition: str


class Keys(TypedDict):
    """Keys, by table and name."""

    keys: list[KeyInfo]


class IndexInfo(TypedDict):
    """One index. A column is null where the index has an expression instead."""

    schema: str
    table: str
    name: str
    unique: bool
    valid: bool
    columns: list[str | None]
    definition: str


class Indexes(TypedDict):
    """Indexes, by table and name."""

    indexes: list[IndexInfo]


class EnumInfo(TypedDict):
    """One enum type, its labels in their order."""

    schema: str
    name: str
    labels: list[str]


class Enums(TypedDict):
    """Enum types, by name."""

    enums: list[EnumInfo]


class Catalogue(TypedDict):
    """What `drawloom check --catalogue` reads."""

    connector: str
    database: str
    search_path: list[str]
    columns: list[ColumnInfo]
    enums: list[EnumInfo]
    statements: NotRequired[list[StatementInfo]]


@connector.tool(effect="read")
async def schemas(client: Client) -> Schemas:
    """List the schemas of the database, but for the server's own."""
    return Schemas(schemas=await _found(client, _SCHEMAS))


@connector.tool(effect="read")
async def tables(client: Client, schema: OfSchema = None) -> Tables:
    """List tables and views, with the planner's estimate of their rows."""
    return Tables(tables=await _found(client, _TABLES, schema, None))


@connector.tool(effect="read")
async def columns(client: Client, table: OfTable = None, schema: OfSchema = None) -> Columns:
    """List columns: types, whether null may stand there, defaults."""
    return Columns(columns=await _found(client, _COLUMNS, schema, table))


@connector.tool(effect="read")
async def keys(client: Client, table: OfTable = None, schema: OfSchema = None) -> Keys:
    """List primary, unique and foreign keys and exclusion constraints."""
    return Keys(keys=await _found(client, _KEYS, schema, table))


@connector.tool(effect="read")
async def indexes(client: Client, table: OfTable = None, schema: OfSchema = None) -> Indexes:
    """List indexes: their columns, whether they are unique, and their definition."""
    return Indexes(indexes=await _found(client, _INDEXES, schema, table))


@connector.tool(effect="read")
async def enums(client: Client, schema: OfSchema = None) -> Enums:
    """List enum types and their labels."""
    return Enums(enums=await _found(client, _ENUMS, schema))


@connector.tool(effect="read")
async def catalogue(
    client: Client,
    statements: Annotated[
        list[str] | None, Field(description="SQL that the server prepares, and does not run.")
    ] = None,
) -> Catalogue:
    """Tell what the static check needs to know of the database; save it for `check --catalogue`.

    It holds names and types of columns, those of the results of *statements* too, and
    nothing of the connection's settings. `drawloom connections describe` gives it the SQL
    that chains have.
    """
    path = "SELECT current_database() AS name, current_schemas(false)::text[] AS path"
    [database] = await _found(client, path)
    return Catalogue(
        connector="postgresql",
        database=database["name"],
        search_path=database["path"],
        columns=await _found(client, _COLUMNS, None, None),
        enums=await _found(client, _ENUMS, None),
        statements=await describe(client, statements or []),
    )


async def _found(client: Client, sql: str, *args: str | None) -> list[Any]:
    async with client.reading() as connection:
        return [dict(row) for row in await connection.fetch(sql, *args)]


_SCHEMAS = f"""
    SELECT n.nspname::text AS name, pg_catalog.pg_get_userbyid(n.nspowner)::text AS owner,
        pg_catalog.obj_description(n.oid, 'pg_namespace') AS comment
    FROM pg_catalog.pg_namespace n WHERE {_OWN} ORDER BY 1
"""
_TABLES = f"""
    SELECT n.nspname::text AS schema, c.relname::text AS name, {_KIND} AS kind,
        CASE WHEN c.reltuples >= 0 AND c.relkind <> 'v' THEN c.reltuples::int8 END AS estimated_rows,
        pg_catalog.obj_description(c.oid, 'pg_class') AS comment
    {_OF} WHERE {_ASKED} ORDER BY 1, 2
"""
_COLUMNS = f"""
    SELECT n.nspname::text AS schema, c.relname::text AS table, a.attname::text AS name,
        pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
        pg_catalog.format_type(CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END, NULL)
            AS base,
        NOT (a.attnotnull OR (t.typtype = 'd' AND t.typnotnull)) AS nullable,
        pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS default,
        (a.attgenerated <> '' OR a.attidentity = 'a') AS generated,
        pg_catalog.col_description(c.oid, a.attnum) AS comment
    {_OF}
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE {_ASKED} ORDER BY 1, 2, a.attnum
"""
_NAMES_OF = """ARRAY(
    SELECT a.attname::text FROM unnest({numbers}) WITH ORDINALITY AS u (number, place)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = {relation} AND a.attnum = u.number
    ORDER BY u.place)"""
_KEYS = f"""
    SELECT n.nspname::text AS schema, c.relname::text AS table, k.conname::text AS name,
        CASE k.contype WHEN 'p' THEN 'primary' WHEN 'u' THEN 'unique' WHEN 'f' THEN 'foreign'
            ELSE 'exclusion' END AS kind,
        {_NAMES_OF.format(numbers="k.conkey", relation="k.conrelid")} AS columns,
        CASE WHEN k.contype = 'f' THEN k.confrelid::regclass::text END AS references,
        {_NAMES_OF.format(numbers="k.confkey", relation="k.confrelid")} AS referenced,
        pg_catalog.pg_get_constraintdef(k.oid) AS definition
    {_OF} JOIN pg_catalog.pg_constraint k ON k.conrelid = c.oid AND k.contype IN ('p', 'u', 'f', 'x')
    WHERE {_ASKED} ORDER BY 1, 2, 3
"""
_INDEXES = f"""
    SELECT n.nspname::text AS schema, c.relname::text AS table, i.relname::text AS name,
        x.indisunique AS unique, x.indisvalid AS valid,
        ARRAY(SELECT a.attname::text FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS u (number, place)
            LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.number
                AND u.number > 0
            WHERE u.place <= x.indnkeyatts ORDER BY u.place) AS columns,
        pg_catalog.pg_get_indexdef(x.indexrelid) AS definition
    {_OF} JOIN pg_catalog.pg_index x ON x.indrelid = c.oid
    JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
    WHERE {_ASKED} ORDER BY 1, 2, 3
"""
_ENUMS = f"""
    SELECT n.nspname::text AS schema, t.typname::text AS name,
        array_agg(e.enumlabel::text ORDER BY e.enumsortorder) AS labels
    FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
    JOIN pg_catalog.pg_enum e ON e.enumtypid = t.oid
    WHERE {_OWN} AND ($1::text IS NULL OR n.nspname = $1) GROUP BY 1, 2 ORDER BY 1, 2
"""
