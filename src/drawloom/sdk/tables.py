"""Rows as tools of databases give them: in one of four shapes, never more than a limit.

The words, the refusals and the types that a chain is checked with are the same for
every database whose tools take a `shape`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field
from typing_extensions import TypedDict

from drawloom.errors import invalid
from drawloom.sdk.narrowing import is_written
from drawloom.sdk.values import Json, Row

Limit: TypeAlias = Annotated[int | None, Field(ge=0, description="Rows at most.")]
Shape: TypeAlias = Annotated[
    Literal["objects", "arrays", "column", "keyed"],
    Field(
        description="Rows as objects, as lists of values, as the values of the one column,"
        " or as an object of rows by the column `key`."
    ),
]
KeyColumn: TypeAlias = Annotated[
    str | None, Field(description="The column whose text names each row, for shape: keyed.")
]


class Rows(TypedDict):
    """What a query found, in the shape asked for. `truncated` says that `limit` cut it off."""

    rows: list[Json] | dict[str, Row]
    columns: list[str]
    count: int
    truncated: bool


def shaping(shape: str, key: str | None, columns: list[str]) -> Callable[[list[Row]], Any]:
    """What puts rows into a shape. Raises `ToolError` (invalid) where the columns do not fit it."""
    if (shape == "keyed") != (key is not None):
        raise invalid(
            "`key` names the column for shape: keyed, and is for that alone", path="/key"
        )
    match shape:
        case "arrays":
            return lambda rows: [list(row.values()) for row in rows]
        case "column":
            if len(columns) != 1:
                told = f"the result has {len(columns)}: {', '.join(columns)}"
                raise invalid(f"shape: column takes one column, {told}", path="/shape")
            return lambda rows: [row[columns[0]] for row in rows]
        case "keyed":
            if key not in columns:
                told = f"the result has no column {key!r}; it has {', '.join(columns)}"
                raise invalid(told, path="/key")
            return lambda rows: _by_key(rows, str(key))
        case _:
            return lambda rows: rows


def _by_key(rows: list[Row], key: str) -> dict[str, Row]:
    found: dict[str, Row] = {}
    for row in rows:
        value = row[key]
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise invalid(
                f"{key} is {value!r} in a row: a key is a text or a whole number", path="/key"
            )
        if str(value) in found:
            raise invalid(f"two rows have {key} = {value!r}", path="/key")
        found[str(value)] = row
    return found


def check_count(count: int, most: int, stream: str) -> None:
    """Refuse more rows than a connection allows. *stream* names the tool that reads them all."""
    if count > most:
        raise invalid(
            f"the result has more than {most} rows, the connection's max_rows;"
            f" give `limit` to a query, or read them with {stream}"
        )


def shaped(
    given: Mapping[str, Any], row: Mapping[str, Any] | None = None, value: Any = None
) -> dict[str, Any]:
    """The schema of the field `rows`, for a narrower: of rows like *row*, in the shape *given*.

    *value* is that of a cell, where one column makes a row. None of both: nothing is known.
    """
    shape = given.get("shape", "objects")
    if not is_written(shape):
        return {}
    item = {"type": "object"} if row is None else row
    if shape == "keyed":
        return {"rows": {"type": "object", "additionalProperties": item}}
    of_shape = {"objects": item, "arrays": {"type": "array"}, "column": value or {}}
    return {"rows": {"type": "array", "items": of_shape.get(shape, {})}}
