"""What written SQL gives, as the server told when the catalogue was saved.

A statement is known by its text. Of one that is not in the catalogue nothing is said; of one
that the server refused, its own words. Whether null may stand in a column the server does
not tell, so nothing is made of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drawloom.connectors.databases.postgresql.catalogue import nearest
from drawloom.connectors.databases.postgresql.copy_files import copy_to_file
from drawloom.connectors.databases.postgresql.narrowing import (
    row_of,
    schema_of,
)
from drawloom.connectors.databases.postgresql.streams import stream
from drawloom.connectors.databases.postgresql.tools import (
    execute,
    execute_many,
    query,
    query_one,
)
from drawloom.errors import invalid
from drawloom.sdk.narrowing import is_written
from drawloom.sdk.tables import shaped


@query.narrow
def _of_query(given: Mapping[str, Any], described: Any) -> dict[str, Any]:
    columns = _row(given, described)
    if columns is None:
        return shaped(given)
    if given.get("shape") == "column" and len(columns) != 1:
        raise invalid(f"shape: column takes one column, not {', '.join(columns)}", path="/shape")
    if given.get("shape") == "keyed":
        _check_named(columns, given.get("key"), "/key")
    return shaped(given, row_of(columns), next(iter(columns.values()), {}))


@query_one.narrow
def _of_query_one(given: Mapping[str, Any], described: Any) -> dict[str, Any]:
    columns = _row(given, described)
    return {} if columns is None else {"row": {"anyOf": [row_of(columns), {"type": "null"}]}}


@execute.narrow
def _of_execute(given: Mapping[str, Any], described: Any) -> dict[str, Any]:
    columns = _row(given, described)
    return {} if columns is None else {"rows": {"type": "array", "items": row_of(columns)}}


@stream.narrow
def _of_stream(given: Mapping[str, Any], described: Any) -> dict[str, Any]:
    columns = _row(given, described)
    if columns is None:
        return {}
    key = given.get("key")
    for at, name in enumerate(key if isinstance(key, list) else ()):
        _check_named(columns, name, f"/key/{at}")
    if isinstance(key, str):
        _check_named(columns, key, "/key")
    return {"item": row_of(columns)}


@execute_many.narrow
def _of_execute_many(given: Mapping[str, Any], described: Any) -> dict[str, Any]:
    _statement(given, described)
    return {}


@copy_to_file.narrow
def _of_copy_to_file(given: Mapping[str, Any], described: Any) -> dict[str, Any]:
    _check_args(given, _statement(given, described))
    return {}


def _row(given: Mapping[str, Any], described: Any) -> dict[str, Any] | None:
    """The columns of the statement's rows, each with its schema; None where it is not known."""
    told = _statement(given, described)
    if told is None:
        return None
    _check_args(given, told)
    columns: dict[str, Any] = {}
    for one in told["columns"]:
        if one["name"] in columns:
            raise invalid(
                f"the result has two columns named {one['name']!r}; name one with AS", path="/sql"
            )
        columns[one["name"]] = schema_of(one["base"], one["labels"])
    return columns


def _statement(given: Mapping[str, Any], described: Any) -> Any:
    """What is known of the SQL. Raises `ToolError` (invalid) where the server refused it."""
    every = (described or {}).get("statements", ())
    found = next((one for one in every if one["sql"] == given.get("sql")), None)
    if found is not None and found["failure"] is not None:
        raise invalid(f"the server refuses it: {found['failure']}", path="/sql")
    return found


def _check_args(given: Mapping[str, Any], told: Any) -> None:
    args = given.get("args")
    count = 0 if args is None else len(args) if isinstance(args, list) else None
    if told is None or count is None or count == len(told["parameters"]):
        return
    message = f"the SQL has {len(told['parameters'])} parameters, args has {count}"
    raise invalid(message, path="/sql" if args is None else "/args")


def _check_named(columns: Mapping[str, Any], name: Any, path: str) -> None:
    if isinstance(name, str) and is_written(name) and name not in columns:
        more = nearest(name, columns) or f"; it has {', '.join(columns)}"
        raise invalid(f"the result has no column {name!r}{more}", path=path)
