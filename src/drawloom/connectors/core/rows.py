"""Tools on lists of rows. None is inline: many rows are worked on in a thread."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from drawloom.connectors.core.connection import connector
from drawloom.sdk import Json, Row, data

Fold = Literal["sum", "min", "max", "avg", "count", "count_distinct", "first", "last", "list"]
Names = Annotated[list[str], Field(min_length=1)]


class Rows(TypedDict):
    """Rows, and how many."""

    rows: list[Row]
    count: int


class Items(TypedDict):
    """Items, and how many."""

    items: list[Json]
    count: int


def _counted(rows: list[Row]) -> Rows:
    return {"rows": rows, "count": len(rows)}


@connector.tool(effect="pure")
def aggregate(
    rows: list[Row],
    values: dict[str, Literal["count"] | dict[Fold, str]],
    by: list[str] | dict[str, str] = [],  # noqa: B006  (never changed; a schema shows it)
    missing: Literal["error", "skip"] = "error",
) -> Rows:
    """Group rows, and sum, count, average or collect each group.

    `by` names the fields to group by (dotted paths reach inside), or maps new
    names to fields; with none all rows are one group. `values` maps new names
    to `count` or to `{operation: field}`. Integers are summed exactly. A field
    that is absent, or no number where one is wanted, is an error that names the
    row; `missing: skip` passes over what is absent or null. Groups stand in
    the order in which they were first seen.
    """
    return _counted(data.aggregate(rows, by, values, missing))  # type: ignore[arg-type]


@connector.tool(effect="pure")
def join(
    left: list[Row],
    right: list[Row],
    on: str | Names | dict[str, str],
    how: Literal["inner", "left", "full"] = "inner",
    suffix: str = "",
) -> Rows:
    """Join two lists of rows by the fields they share.

    `on` is a field of both, several of them, or maps left fields to right ones.
    `left` and `full` keep rows without a match, with null for the other side;
    null matches nothing. A field of both that is no key needs a `suffix` for
    the right one.
    """
    return _counted(data.join(left, right, on, how, suffix))


@connector.tool(effect="pure")
def merge(lists: list[list[Row]], on: str | Names) -> Rows:
    """Merge lists of rows into one row per key; the later value of a field stays."""
    return _counted(data.merge(lists, on))


@connector.tool(effect="pure")
def concat(lists: list[list[Json]]) -> Items:
    """Put lists one after the other."""
    items = data.concat(lists)
    return {"items": items, "count": len(items)}


@connector.tool(effect="pure", name="zip")
def zip_(lists: dict[str, list[Json]]) -> Rows:
    """Put lists of the same length side by side: one row per position."""
    return _counted(data.zip_rows(lists))
