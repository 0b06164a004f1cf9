"""What the rows of a query are, as exactly as a step and a saved catalogue tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from drawloom.connectors.databases.postgresql.catalogue import nearest
from drawloom.connectors.databases.postgresql.tables import select
from drawloom.errors import invalid
from drawloom.sdk.narrowing import is_written
from drawloom.sdk.tables import shaped

_TEXT = {"type": "string"}
# Beyond 2^53-1 a whole number is a text of its digits.
_DIGITS = {"type": "string", "pattern": "^-?[0-9]{16,19}$"}
_LONG = {"anyOf": [{"type": "integer"}, _DIGITS]}
_FLOAT = {"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]}
_SCHEMAS: Mapping[str, Any] = {
    "boolean": {"type": "boolean"},
    "smallint": {"type": "integer", "minimum": -(2**15), "maximum": 2**15 - 1},
    "integer": {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    "bigint": _LONG,
    "real": _FLOAT,
    "double precision": _FLOAT,
    "json": {},
    "jsonb": {},
    **dict.fromkeys(("numeric", "text", "character varying", "character", "name"), _TEXT),
    **dict.fromkeys(("uuid", "bytea", "inet", "cidr", "macaddr", "bit", "bit varying"), _TEXT),
    **dict.fromkeys(("date", "interval"), _TEXT),
    **dict.fromkeys(
        (
            f"{kind} {zone} time zone"
            for kind in ("time", "timestamp")
            for zone in ("with", "without")
        ),
        _TEXT,
    ),
}


@select.narrow
def _of_select(given: Mapping[str, Any], described: Any) -> dict[str, Any]:
    where = {"table": given.get("table"), "schema": given.get("schema")}
    if described is None or not is_written(where):
        return shaped(given)
    known = _columns(described, where["table"], where["schema"])
    for path, name in _named(given):
        if name not in known:
            more = nearest(name, known) or f"; it has {', '.join(known)}"
            raise invalid(f"{where['table']!r} has no column {name!r}{more}", path=path)
    listed = given.get("columns") or list(known)
    if not is_written(listed):
        return shaped(given)
    return shaped(given, row_of({name: known[name] for name in listed}), known[listed[0]])


def row_of(columns: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a row with just these columns, each with its own schema."""
    return {
        "type": "object",
        "properties": dict(columns),
        "required": list(columns),
        "additionalProperties": False,
    }


def _columns(described: Mapping[str, Any], table: Any, schema: Any) -> dict[str, Any]:
    """The schema of each column of the table. Raises `ToolError` (invalid) where it is not there."""
    path = described["search_path"] if schema is None else [schema]
    every = described["columns"]
    enums = {(e["schema"], e["name"]): e["labels"] for e in described["enums"]}
    for place in path:
        found = [c for c in every if c["table"] == table and c["schema"] == place]
        if found:
            return {c["name"]: _schema(c, enums, place) for c in found}
    near = {c["table"] for c in every if c["schema"] in path}
    raise invalid(f"there is no table {table!r}{nearest(str(table), near)}", path="/table")


def schema_of(base: str, labels: Any) -> Any:
    """The schema of a value of a type, with the *labels* of an enum; null is not said."""
    if base.endswith("[]"):
        return {"type": "array"}
    return {"enum": labels} if labels else _SCHEMAS.get(base, {})


def _schema(column: Mapping[str, Any], enums: Mapping[Any, Any], place: str) -> Any:
    made = schema_of(column["base"], _labels(column["base"], enums, place))
    # A view does not say whether null may stand in its columns; it says that it may.
    return {"anyOf": [made, {"type": "null"}]} if column["nullable"] and made else made


def _labels(base: str, enums: Mapping[Any, Any], place: str) -> Any:
    schema, _, name = base.rpartition(".")
    return enums.get((schema or place, name))


def _named(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every column that the step names in plain words, and where."""
    if isinstance(listed := given.get("columns"), list):
        yield from _plain((f"/columns/{at}", name) for at, name in enumerate(listed))
    if isinstance(order := given.get("order"), list):
        parts = ((at, one) for at, one in enumerate(order) if isinstance(one, Mapping))
        yield from _plain((f"/order/{at}/column", one.get("column")) for at, one in parts)
    yield from _plain([("/key", given.get("key"))])
    yield from _in_filter(given.get("where"), "/where")


def _in_filter(given: Any, path: str) -> Iterator[tuple[str, str]]:
    if not isinstance(given, Mapping):
        return
    yield from _plain([(f"{path}/column", given.get("column"))])
    for word in ("and", "or"):
        if isinstance(inner := given.get(word), list):
            for at, one in enumerate(inner):
                yield from _in_filter(one, f"{path}/{word}/{at}")


def _plain(named: Any) -> Iterator[tuple[str, str]]:
    return ((path, name) for path, name in named if isinstance(name, str) and is_written(name))
