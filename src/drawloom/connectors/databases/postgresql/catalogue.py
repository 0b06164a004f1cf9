"""Names of tables and columns: looked up in the server's catalogue, then quoted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from drawloom.errors import Failure, FailureKind, ToolError, invalid

_RELATION = """
    SELECT n.nspname::text AS schema, c.relname::text AS name,
        array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attname IS NOT NULL) AS columns
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_attribute a
        ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
        AND CASE WHEN $2::text IS NULL THEN pg_catalog.pg_table_is_visible(c.oid)
            ELSE n.nspname = $2 END
    GROUP BY n.nspname, c.relname
"""
_NEAR = """
    SELECT c.relname::text FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'pg_catalog'
        AND CASE WHEN $1::text IS NULL THEN pg_catalog.pg_table_is_visible(c.oid)
            ELSE n.nspname = $1 END
    LIMIT 10000
"""
_SCHEMAS = "SELECT nspname::text FROM pg_catalog.pg_namespace"


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or view that is there, and its columns in their order."""

    schema: str
    name: str
    columns: tuple[str, ...]

    @property
    def sql(self) -> str:
        return f"{quoted(self.schema)}.{quoted(self.name)}"

    def column(self, name: str, path: str) -> str:
        """The column as SQL. Raises `ToolError` (invalid) at *path* where there is none."""
        if name in self.columns:
            return quoted(name)
        more = nearest(name, self.columns) or f"; it has {', '.join(self.columns)}"
        raise invalid(f"{path}: {self.name!r} has no column {name!r}{more}", path=path)

    def listed(self, names: Iterable[str], path: str) -> str:
        """Columns as SQL, with commas between them."""
        return ", ".join(self.column(name, f"{path}/{at}") for at, name in enumerate(names))


def quoted(name: str) -> str:
    """A name in SQL that is just this name."""
    return '"' + name.replace('"', '""') + '"'


def nearest(name: str, known: Iterable[str]) -> str:
    """What else may have been meant, to be put behind a message; "" where nothing is near."""
    near = get_close_matches(name, list(known), n=3)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""


async def find_relation(connection: Any, table: str, schema: str | None) -> Relation:
    """The table, of *schema* or else of the search path. Raises `ToolError` (missing)."""
    row = await connection.fetchrow(_RELATION, table, schema)
    if row is not None:
        return Relation(row["schema"], row["name"], tuple(row["columns"] or ()))
    message = f"there is no table {table!r}" + (f" in schema {schema!r}" if schema else "")
    more = await _near(connection, table, schema)
    raise ToolError(Failure(FailureKind.MISSING, message + more, details={"path": "/table"}))


async def _near(connection: Any, table: str, schema: str | None) -> str:
    if schema is not None:
        schemas = [name for (name,) in await connection.fetch(_SCHEMAS)]
        if schema not in schemas:
            return f": there is no such schema{nearest(schema, schemas)}"
    return nearest(table, [name for (name,) in await connection.fetch(_NEAR, schema)])
