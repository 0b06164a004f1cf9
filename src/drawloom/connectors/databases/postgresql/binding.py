"""From chain values to typed parameters.

Most scalars are the business of `codecs`; here are numbers, and what has parts: ranges,
composites, arrays of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from drawloom.connectors.databases.postgresql.numbers import TAKES
from drawloom.errors import invalid
from drawloom.sdk import Json

if TYPE_CHECKING:
    from asyncpg.types import Type

Take: TypeAlias = Callable[[Json], int | float]

_SHOWN = 40  # characters of a value in a message
_RANGES = {
    f"{name}{kind}": TAKES[name] for name in ("int4", "int8") for kind in ("range", "multirange")
}
_RANGE_FIELDS = frozenset({"lower", "upper", "lower_inc", "upper_inc", "empty"})
# Of a composite type, or of an array or a domain of one: its fields, and below arrays and
# domains what each of them is.
_FIELDS_OF_COMPOSITE = """
    SELECT a.attname::text AS name, f.oid, f.typtype::text AS kind,
        CASE WHEN f.typnamespace = 'pg_catalog'::regnamespace THEN f.typname::text END AS type
    FROM pg_catalog.pg_type t
    LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
    JOIN pg_catalog.pg_attribute a ON a.attrelid = COALESCE(e.typrelid, t.typrelid)
    JOIN pg_catalog.pg_type ft ON ft.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_type fe ON fe.oid = ft.typelem AND ft.typcategory = 'A'
    JOIN pg_catalog.pg_type f ON f.oid = CASE
        WHEN fe.oid IS NOT NULL THEN fe.oid WHEN ft.typtype = 'd' THEN ft.typbasetype ELSE ft.oid END
    WHERE t.oid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
# Of an array of a domain: what that is at bottom.
_BASE_OF_ELEMENT = """
    SELECT b.typname::text FROM pg_catalog.pg_type t
    JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND e.typtype = 'd'
    JOIN pg_catalog.pg_type b ON b.oid = e.typbasetype
    WHERE t.oid = $1 AND b.typnamespace = 'pg_catalog'::regnamespace
"""


_LEADING = r"(?:\s|;|--[^\n]*\n|/\*.*?\*/)*"
# The driver has no place for the rows: it would wait for them, or drop them.
_COPY_HERE = re.compile(
    _LEADING + r"copy\b.*\b(?:from\s+stdin|to\s+stdout)\b", re.IGNORECASE | re.DOTALL
)
# It would end what other statements stand in.
_ENDS = re.compile(
    _LEADING
    + r"(?:begin|start|commit|end|rollback|abort|savepoint|release|prepare\s+transaction)\b",
    re.IGNORECASE | re.DOTALL,
)


async def prepare(connection: Any, sql: str) -> Any:
    """The statement, with its types. Refuses what would pass rows by another way."""
    if _COPY_HERE.match(sql):
        raise invalid("COPY has no STDIN or STDOUT here; use execute_many, or query")
    if _ENDS.match(sql):
        raise invalid(
            "a step is a transaction of its own: BEGIN, COMMIT, ROLLBACK and SAVEPOINT are refused"
        )
    return await connection.prepare(sql)


def columns_of(statement: Any) -> list[str]:
    """The names of the result's columns; each must be there once, for a row is an object."""
    names = [attribute.name for attribute in statement.get_attributes()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise invalid(
            f"the result has two columns named {', '.join(map(repr, twice))}; name one with AS"
        )
    return names


async def parameters(
    connection: Any, statement: Any, args: list[Json], run: int | None = None
) -> list[Any]:
    """*args* as the driver takes them. *run* counts the lists of execute_many."""
    count = len(statement.get_parameters())
    where = "args" if run is None else f"args[{run}]"
    if len(args) != count:
        raise invalid(f"the SQL has {count} parameters, {where} has {len(args)}")
    places = [f"{where}[{place}] (${place + 1})" for place in range(count)]
    return await bound(connection, statement, args, places)


async def bound(
    connection: Any, statement: Any, args: Sequence[Json], places: Sequence[str]
) -> list[Any]:
    """*args* as the driver takes them, one for each parameter; *places* tells where they stand."""
    return [
        await bound_cell(connection, kind, value, place)
        for kind, value, place in zip(statement.get_parameters(), args, places, strict=True)
    ]


async def bound_cell(connection: Any, kind: Type, value: Json, place: str) -> Any:
    """One value as the driver takes it for that type. Raises `ToolError` (invalid)."""
    if value is None:
        return None
    if kind.kind == "array" and not isinstance(value, list):
        raise invalid(f"{place}: {kind.name} takes a list")
    name = kind.name.removesuffix("[]")
    if name.endswith("range") or kind.kind in ("range", "multirange"):
        return _ranges(value, place, _RANGES.get(name))
    take = taker(kind)
    if take is None and kind.kind == "array" and kind.schema != "pg_catalog":
        take = TAKES.get(await connection.fetchval(_BASE_OF_ELEMENT, kind.oid) or "")
    if take is not None:
        return _taken(take, value, place)
    if isinstance(value, dict | list) and kind.kind in ("array", "composite"):
        return await _composites(connection, kind.oid, value, f"{place}: {kind.name}")
    return value


def taker(kind: Type) -> Take | None:
    """What makes numbers of a type, or of its elements; None where a codec takes chain values."""
    return TAKES.get(kind.name.removesuffix("[]")) if kind.schema == "pg_catalog" else None


def _taken(take: Take, value: Json, place: str) -> Any:
    """A number, or a list of them as deep as it is. Raises `ToolError` (invalid)."""
    if value is None:
        return None
    if isinstance(value, list):
        return [_taken(take, inner, f"{place}[{at}]") for at, inner in enumerate(value)]
    try:
        return take(value)
    except ValueError as exc:
        shown = repr(value)
        shown = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "…"
        path = place if place.startswith("/") else ""
        raise invalid(f"{place}: {shown} ({exc})", path=path) from exc


def _ranges(value: Json, place: str, take: Take | None) -> Any:
    """A range is an object; lists are arrays or multiranges of them."""
    from asyncpg import Range

    if isinstance(value, list):
        return [_ranges(inner, f"{place}[{at}]", take) for at, inner in enumerate(value)]
    if value is None:
        return None
    if not isinstance(value, dict) or not value.keys() <= _RANGE_FIELDS or not value:
        raise invalid(f"{place}: a range is an object of {', '.join(sorted(_RANGE_FIELDS))}")
    if value.get("empty"):
        return Range(empty=True)
    lower, upper = value.get("lower"), value.get("upper")
    if take is not None:
        lower, upper = _taken(take, lower, f"{place}.lower"), _taken(take, upper, f"{place}.upper")
    # PostgreSQL's own default: the lower bound belongs to the range, the upper does not.
    starts = value.get("lower_inc", True) and lower is not None
    return Range(lower, upper, lower_inc=starts, upper_inc=value.get("upper_inc", False))


async def _composites(connection: Any, oid: int, value: Json, place: str) -> Json:
    """Objects with every field said, for the driver would take one that is lacking for NULL."""
    if not list(_objects(value)):
        return value
    fields = await connection.fetch(_FIELDS_OF_COMPOSITE, oid)
    return await _with_fields(connection, fields, value, place) if fields else value


async def _with_fields(connection: Any, fields: list[Any], value: Json, place: str) -> Json:
    if isinstance(value, list):
        return [await _with_fields(connection, fields, one, place) for one in value]
    if not isinstance(value, dict):
        return value
    if lost := [field["name"] for field in fields if field["name"] not in value]:
        raise invalid(f"{place} needs {', '.join(lost)}; null must be said")
    parts = {
        field["name"]: await _field(connection, field, value[field["name"]], place)
        for field in fields
    }
    return {**value, **parts}


async def _field(connection: Any, field: Any, value: Json, place: str) -> Any:
    where = f"{place}.{field['name']}"
    match field["kind"]:
        case "r" | "m":
            return _ranges(value, where, _RANGES.get(field["type"]))
        case "c":
            return await _composites(connection, field["oid"], value, where)
    take = TAKES.get(field["type"])
    return value if take is None else _taken(take, value, where)


def _objects(value: Json) -> list[dict[str, Json]]:
    if isinstance(value, dict):
        return [value]
    if not isinstance(value, list):
        return []
    return [one for inner in value for one in _objects(inner)]
