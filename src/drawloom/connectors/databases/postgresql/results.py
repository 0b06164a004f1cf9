"""What statements give: rows in the shape that was asked for, and counts of changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import Field
from typing_extensions import TypedDict

from drawloom.connectors.databases.postgresql.binding import columns_of
from drawloom.connectors.databases.postgresql.reading import Reader
from drawloom.errors import invalid
from drawloom.sdk import Json, Row

if TYPE_CHECKING:
    from drawloom.connectors.databases.postgresql.statements import Prepared

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

_PORTION = 5_000  # rows

_COUNTED = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE"})


class Rows(TypedDict):
    """What a query found, in the shape asked for. `truncated` says that `limit` cut it off."""

    rows: list[Json] | dict[str, Row]
    columns: list[str]
    count: int
    truncated: bool


class Changes(TypedDict):
    """What a statement did. `rows` is what its RETURNING gave."""

    changes: int
    rows: list[Row]
    columns: list[str]


async def rows_of(
    statement: Prepared, records: list[Any], most: int, limited: bool, form: Callable[..., Any]
) -> Rows:
    """What a query found, as *form* (see `shaping`) makes it, *most* rows of it.

    *records* has one more where there were more: an error, unless the query is *limited*.
    """
    truncated = len(records) > most
    if not limited:
        check_count(len(records), most)
    del records[most:]
    # In portions, so that the event loop is never held for long.
    for at in range(0, len(records), _PORTION):
        records[at : at + _PORTION] = statement.reader.many(records[at : at + _PORTION])
        if at:
            await asyncio.sleep(0)
    return Rows(
        rows=form(records), columns=statement.columns, count=len(records), truncated=truncated
    )


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


def check_count(count: int, most: int) -> None:
    """Refuse more rows than the connection allows."""
    if count > most:
        raise invalid(
            f"the result has more than {most} rows, the connection's max_rows;"
            " give `limit` to a query, or read them with postgresql.stream"
        )


def changes_of(statement: Any, records: list[Any], most: int) -> Changes:
    """What a statement did that gave *records*. Before the commit: what no chain can hold
    undoes what made it."""
    check_count(len(records), most)
    return Changes(
        changes=_count(statement.get_statusmsg() or ""),
        rows=Reader(statement).many(records),
        columns=columns_of(statement),
    )


def _count(status: str) -> int:
    """The count in a command tag, such as "INSERT 0 5"."""
    word, _, rest = status.partition(" ")
    return int(rest.rpartition(" ")[2]) if word in _COUNTED else 0
