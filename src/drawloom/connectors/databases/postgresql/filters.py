"""Which rows, and in what order: typed, with every value bound and every name checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NotRequired, TypeAlias

from pydantic import Field, with_config
from typing_extensions import TypedDict

from drawloom.connectors.databases.postgresql.catalogue import Relation
from drawloom.errors import invalid
from drawloom.sdk import Json

# fmt: off
Operator = Literal[
    "eq", "ne", "lt", "lte", "gt", "gte", "in", "not_in",
    "like", "ilike", "is_null", "not_null", "between",
]
# fmt: on


@with_config({"extra": "forbid"})
class Condition(TypedDict):
    """A column compared. `in` and `not_in` take a list, `between` the two ends, both included."""

    column: str
    op: Operator
    value: NotRequired[Json]


And = TypedDict("And", {"and": Annotated[list["Filter"], Field(min_length=1)]})
Or = TypedDict("Or", {"or": Annotated[list["Filter"], Field(min_length=1)]})
for _group in (And, Or):
    with_config({"extra": "forbid"})(_group)
Filter: TypeAlias = Condition | And | Or


@with_config({"extra": "forbid"})
class Order(TypedDict):
    """One column to sort by. Without `nulls`, they come last, or first where it is descending."""

    column: str
    descending: NotRequired[bool]
    nulls: NotRequired[Literal["first", "last"]]


_COMPARED = {
    "eq": "=",
    "ne": "<>",
    "lt": "<",
    "lte": "<=",
    "gt": ">",
    "gte": ">=",
    "like": "LIKE",
    "ilike": "ILIKE",
}
_LISTED = {"in": "= ANY", "not_in": "<> ALL"}
_UNARY = {"is_null": "IS NULL", "not_null": "IS NOT NULL"}


class Binder:
    """The values of one statement: each gets its `$n`, and keeps the place it came from."""

    def __init__(self) -> None:
        self.values: list[Json] = []
        self.places: list[str] = []

    def bind(self, value: Json, place: str) -> str:
        """The mark that stands for *value* in SQL."""
        self.values.append(value)
        self.places.append(place)
        return f"${len(self.values)}"


def where(
    relation: Relation, given: Mapping[str, Any] | None, binder: Binder, path: str = "/where"
) -> str:
    """The WHERE clause of a filter, "" for none. Raises `ToolError` (invalid)."""
    return "" if given is None else f" WHERE {_filter(relation, given, binder, path)}"


def order_by(relation: Relation, given: Sequence[Order] | None) -> str:
    """The ORDER BY clause, "" for none."""
    if not given:
        return ""
    parts = [_sorted(relation, one, f"/order/{at}") for at, one in enumerate(given)]
    return f" ORDER BY {', '.join(parts)}"


def _sorted(relation: Relation, one: Order, path: str) -> str:
    column = relation.column(one["column"], f"{path}/column")
    direction = " DESC" if one.get("descending") else ""
    nulls = one.get("nulls")
    return column + direction + (f" NULLS {nulls.upper()}" if nulls else "")


def _filter(relation: Relation, given: Mapping[str, Any], binder: Binder, path: str) -> str:
    for word in ("and", "or"):
        if word in given:
            inner = [
                _filter(relation, one, binder, f"{path}/{word}/{at}")
                for at, one in enumerate(given[word])
            ]
            return f"({f' {word.upper()} '.join(inner)})"
    return _condition(relation, given, binder, path)


def _condition(relation: Relation, given: Mapping[str, Any], binder: Binder, path: str) -> str:
    column, op = relation.column(given["column"], f"{path}/column"), given["op"]
    if op in _UNARY:
        if "value" in given:
            raise invalid(f"{path}: {op} takes no value", path=path)
        return f"{column} {_UNARY[op]}"
    value = _value(given, path)
    place = f"{path}/value"
    if op in _LISTED:
        return f"{column} {_LISTED[op]} ({binder.bind(value, place)})"
    if op == "between":
        low, high = (binder.bind(end, f"{place}/{at}") for at, end in enumerate(value))
        return f"{column} BETWEEN {low} AND {high}"
    return f"{column} {_COMPARED[op]} {binder.bind(value, place)}"


def _value(given: Mapping[str, Any], path: str) -> Any:
    """What to compare with. NULL is equal to nothing, so it is refused rather than never found."""
    op, value = given["op"], given.get("value")
    listed = value if op in ("in", "not_in", "between") else [value]
    if not isinstance(listed, list) or (op == "between" and len(listed) != 2):
        what = "a list of the two ends" if op == "between" else "a list"
        raise invalid(f"{path}: {op} takes {what} as its value", path=path)
    if None in listed:
        hint = "null compares with nothing; use is_null or not_null"
        raise invalid(f"{path}: {hint}", path=path)
    return value
