"""From chain values to typed parameters, and from records to objects.

Scalars are the business of `codecs`; here is what has parts: ranges,
composites, arrays of them, and the check that a row can be an object.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from drawloom.errors import invalid
from drawloom.sdk import Json, Row
from drawloom.sdk.encoding import encode_value

if TYPE_CHECKING:
    from asyncpg.types import Type

_RANGE_FIELDS = frozenset({"lower", "upper", "lower_inc", "upper_inc", "empty"})
# Of a composite type, or of an array or a domain of one: its fields, and below arrays and
# domains what each of them is.
_FIELDS_OF_COMPOSITE = """
    SELECT a.attname::text AS name, f.oid, f.typtype::text AS kind
    FROM pg_catalog.pg_type t
    LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
    JOIN pg_catalog.pg_attribute a ON a.attrelid = COALESCE(e.typrelid, t.typrelid)
    JOIN pg_catalog.pg_type ft ON ft.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_type fe ON fe.oid = ft.typelem AND ft.typcategory = 'A'
    JOIN pg_catalog.pg_type f ON f.oid = CASE
        WHEN fe.oid IS NOT NULL THEN fe.oid WHEN ft.typtype = 'd' THEN ft.typbasetype ELSE ft.oid END
    WHERE t.oid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
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
        return _ranges(value, place)
    if isinstance(value, dict | list) and kind.kind in ("array", "composite"):
        return await _composites(connection, kind.oid, value, f"{place}: {kind.name}")
    return value


def _ranges(value: Json, place: str) -> Any:
    """A range is an object; lists are arrays or multiranges of them."""
    from asyncpg import Range

    if isinstance(value, list):
        return [_ranges(inner, f"{place}[{at}]") for at, inner in enumerate(value)]
    if value is None:
        return None
    if not isinstance(value, dict) or not value.keys() <= _RANGE_FIELDS or not value:
        raise invalid(f"{place}: a range is an object of {', '.join(sorted(_RANGE_FIELDS))}")
    if value.get("empty"):
        return Range(empty=True)
    lower, upper = value.get("lower"), value.get("upper")
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
            return _ranges(value, where)
        case "c":
            return await _composites(connection, field["oid"], value, where)
    return value


def _objects(value: Json) -> list[dict[str, Json]]:
    if isinstance(value, dict):
        return [value]
    if not isinstance(value, list):
        return []
    return [one for inner in value for one in _objects(inner)]


def row_reader(statement: Any) -> Callable[[Any], Row]:
    """What makes an object of a record. Columns whose codec gave JSON are left alone."""
    plan = [(a.name, is_plain_type(a.type)) for a in statement.get_attributes()]
    if all(done for _, done in plan):
        return dict

    def read(record: Any) -> Row:
        return {
            name: cell if done or cell is None else encode_cell(cell)
            for (name, done), cell in zip(plan, record, strict=True)
        }

    return read


_DONE = frozenset(
    {
        *("bool", "int2", "int4", "int8", "float4", "float8", "numeric", "text", "varchar"),
        *("bpchar", "name", "uuid", "json", "jsonb", "bytea", "date", "time", "timetz"),
        *("timestamp", "timestamptz", "interval"),
    }
)


def is_plain_type(kind: Type) -> bool:
    """Whether a type's codec alone gives and takes chain values."""
    return kind.kind == "scalar" and kind.schema == "pg_catalog" and kind.name in _DONE


def encode_cell(value: Any) -> Json:
    """A value of the driver as a chain value: arrays, composites and ranges part by part."""
    import ipaddress

    from asyncpg import Range, Record

    match value:
        case Record():
            return {name: encode_cell(inner) for name, inner in value.items()}
        case Range():
            return _range(value)
        case list() | tuple():
            return [encode_cell(inner) for inner in value]
        case ipaddress._BaseAddress() | ipaddress._BaseNetwork():
            return str(value)
        case bytes():
            return value.decode("latin-1")  # "char", one byte of the catalogues; bytea is done
        case _:
            return encode_value(value)


def _range(value: Any) -> Json:
    if value.isempty:
        return {"empty": True}
    return {
        "lower": encode_cell(value.lower),
        "upper": encode_cell(value.upper),
        "lower_inc": value.lower_inc,
        "upper_inc": value.upper_inc,
    }
