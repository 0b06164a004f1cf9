"""What statements give: rows in the shape that was asked for, and counts of changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from typing_extensions import TypedDict

from drawloom.connectors.databases.postgresql.binding import columns_of
from drawloom.connectors.databases.postgresql.reading import Reader
from drawloom.sdk import Row
from drawloom.sdk.tables import Rows, check_count

if TYPE_CHECKING:
    from drawloom.connectors.databases.postgresql.statements import Prepared

_PORTION = 5_000  # rows
_STREAM = "postgresql.stream"

_COUNTED = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE"})


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
        check_count(len(records), most, _STREAM)
    del records[most:]
    # In portions, so that the event loop is never held for long.
    for at in range(0, len(records), _PORTION):
        records[at : at + _PORTION] = statement.reader.many(records[at : at + _PORTION])
        if at:
            await asyncio.sleep(0)
    return Rows(
        rows=form(records), columns=statement.columns, count=len(records), truncated=truncated
    )


def changes_of(statement: Any, records: list[Any], most: int) -> Changes:
    """What a statement did that gave *records*. Before the commit: what no chain can hold
    undoes what made it."""
    check_count(len(records), most, _STREAM)
    return Changes(
        changes=_count(statement.get_statusmsg() or ""),
        rows=Reader(statement).many(records),
        columns=columns_of(statement),
    )


def _count(status: str) -> int:
    """The count in a command tag, such as "INSERT 0 5"."""
    word, _, rest = status.partition(" ")
    return int(rest.rpartition(" ")[2]) if word in _COUNTED else 0
