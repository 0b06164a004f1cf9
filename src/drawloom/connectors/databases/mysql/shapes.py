"""The rows of a SELECT in other shapes: lists, one column, an object by key.

Each is a tool of its own, so that a reference to its output is checked against
what it really gives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field
from typing_extensions import TypedDict

from drawloom.connectors.databases.mysql.connection import connector
from drawloom.connectors.databases.mysql.tools import Args, Limit, Sql, fetched
from drawloom.connectors.databases.mysql.values import list_reader, row_reader
from drawloom.errors import invalid
from drawloom.sdk import Json, Row

if TYPE_CHECKING:
    from drawloom.connectors.databases.mysql.client import Client


class Lists(TypedDict):
    """Rows as lists, in the order of `columns`, which may have a name twice."""

    rows: list[list[Json]]
    columns: list[str]
    count: int
    truncated: bool


class Values(TypedDict):
    """The values of the one column."""

    values: list[Json]
    count: int
    truncated: bool


class ByKey(TypedDict):
    """Each row under its key."""

    rows: dict[str, Row]
    count: int


@connector.tool(effect="read")
async def query_lists(client: Client, sql: Sql, args: Args = None, limit: Limit = None) -> Lists:
    """Run one SELECT and give its rows as lists: half the size of objects, and any names."""
    rows, columns, truncated = await fetched(client, sql, args, limit, list_reader)
    names = [column.name for column in columns]
    return Lists(rows=rows, columns=names, count=len(rows), truncated=truncated)


@connector.tool(effect="read")
async def query_column(client: Client, sql: Sql, args: Args = None, limit: Limit = None) -> Values:
    """Run one SELECT of one column and give its values as a list."""
    rows, columns, truncated = await fetched(client, sql, args, limit, list_reader)
    if len(columns) != 1:
        raise invalid(f"the result has {len(columns)} columns; select one, or use mysql.query")
    return Values(values=[row[0] for row in rows], count=len(rows), truncated=truncated)


@connector.tool(effect="read")
async def query_keyed(
    client: Client,
    sql: Sql,
    key: Annotated[str, Field(description="The column of the result that names each row.")],
    args: Args = None,
) -> ByKey:
    """Run one SELECT and give its rows as one object, each under the text of its key."""
    rows, columns, _ = await fetched(client, sql, args, None, row_reader)
    if key not in [column.name for column in columns]:
        raise invalid(f"the result has no column {key!r}", path="/key")
    found = {_key_of(row[key], key): row for row in rows}
    if len(found) < len(rows):
        raise invalid(f"two rows have the same {key}", path="/key")
    return ByKey(rows=found, count=len(rows))


def _key_of(value: Json, key: str) -> str:
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise invalid(f"{key} is {value!r:.80} in a row; a key is a text or an integer")
    return str(value)
