"""What the rows of a query are, as exactly as a step and a saved catalogue tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drawloom.connectors.databases.postgresql.tables import select
from drawloom.connectors.databases.postgresql.tools import query
from drawloom.sdk.narrowing import is_written

_ANY_ROW: dict[str, Any] = {"type": "object"}


@query.narrow
def _of_query(given: Mapping[str, Any], described: Any) -> dict[str, Any]:
    return _shaped(given, _ANY_ROW, {})


@select.narrow
def _of_select(given: Mapping[str, Any], described: Any) -> dict[str, Any]:
    return _shaped(given, _ANY_ROW, {})


def _shaped(given: Mapping[str, Any], row: Mapping[str, Any], value: Any) -> dict[str, Any]:
    """The field `rows`, of rows like *row*. *value* is any cell, where one column makes a row."""
    shape = given.get("shape", "objects")
    if not is_written(shape):
        return {}
    if shape == "keyed":
        return {"rows": {"type": "object", "additionalProperties": row}}
    item = {"objects": row, "arrays": {"type": "array"}, "column": value}.get(shape, {})
    return {"rows": {"type": "array", "items": item}}
