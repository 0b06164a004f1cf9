"""Rows of a SELECT, however many, read portion by portion behind the key of the last one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from drawloom.connectors.databases.postgresql.binding import (
    columns_of,
    parameters,
    prepare,
)
from drawloom.connectors.databases.postgresql.catalogue import quoted
from drawloom.connectors.databases.postgresql.connection import connector
from drawloom.connectors.databases.postgresql.tools import Args, Sql
from drawloom.errors import invalid
from drawloom.sdk import Chunk, Context, Json, Row
from drawloom.sdk.paging import StreamKey, check_keys, chunks_behind, key_names, key_repeats

if TYPE_CHECKING:
    from drawloom.connectors.databases.postgresql.client import Client

# Types of which two values are the same for the server just if they are the same here.
_EXACT = frozenset({"int2", "int4", "int8", "uuid", "date"})


@connector.tool(effect="read", encoded=True)
async def stream(
    client: Client, sql: Sql, key: StreamKey, context: Context, args: Args = None
) -> AsyncIterator[Chunk[Row]]:
    """Read the rows of one SELECT, however many, as a stream for a `for_each`.

    Rows come in the order of *key*, and the key of the last one is the cursor: a run
    goes on behind it, and rows that are added there meanwhile come too. A key that is
    null, or that two rows share, is an error. The rows are read in portions, each by
    a query of its own, so that no connection is held while a chain works on them: an
    index on the key keeps those quick.
    """
    columns = key_names(key)
    query = await _opened(client, sql, args or [], columns, new=context.after is None)
    async with aclosing(chunks_behind(query.behind, columns, context)) as chunks:
        async for chunk in chunks:
            yield chunk


async def _opened(
    client: Client, sql: str, args: list[Json], columns: list[str], *, new: bool
) -> _Portions:
    """The query, once it is known to be sound: one SELECT, its values, its key."""
    async with client.reading() as connection:
        statement = await prepare(connection, sql)
        names = columns_of(statement)
        if strange := [column for column in columns if column not in names]:
            listed = ", ".join(names)
            raise invalid(f"the result has no column {strange[0]!r}; it has {listed}", path="/key")
        await parameters(connection, statement, args)
        kinds = {one.name: one.type.name for one in statement.get_attributes()}
        exact = all(kinds[column] in _EXACT for column in columns)
        query = _Portions(client, sql, args, columns, names, exact)
        if new:  # a row without a key is behind no other, and would never be seen again
            await query.check_for_null(connection)
    return query


class _Portions:
    """The SELECT, wrapped so that it gives what is behind a key, and tells keys that repeat."""

    def __init__(
        self,
        client: Client,
        sql: str,
        args: list[Json],
        columns: list[str],
        names: list[str],
        exact: bool,
    ) -> None:
        self._client = client
        # A comment may end the SQL: what follows needs a line of its own.
        self._wrapped = f"FROM ({sql.rstrip().rstrip(';')}\n) AS q"
        self._args = args
        self._columns = columns
        self._key = [f"q.{quoted(column)}" for column in columns]
        self._exact = exact
        self._again = "again"
        while self._again in names:
            self._again += "_"

    async def check_for_null(self, connection: Any) -> None:
        """Raises `ToolError` (invalid) for a row whose key is null."""
        lacking = " OR ".join(f"{column} IS NULL" for column in self._key)
        sql = f"SELECT EXISTS (SELECT {self._wrapped} WHERE {lacking})"
        statement = await prepare(connection, sql)
        if await statement.fetchval(*await parameters(connection, statement, self._args)):
            named = ", ".join(self._columns)
            raise invalid(f"the key ({named}) is null in a row", path="/key")

    async def behind(self, after: list[Json] | None, most: int) -> tuple[list[Row], bool]:
        """The next rows, and whether there are more. One too many is asked for."""
        args = [*self._args, *(after or [])]
        statement, records = await self._client.read(self._sql(after, most + 1), args, 0)
        rows = statement.reader.many(records)
        self._check_keys(rows)
        return rows[:most], len(rows) > most

    def _check_keys(self, rows: list[Row]) -> None:
        """Raises `ToolError` (invalid) where two rows have one key. They stand side by side."""
        if self._exact:
            check_keys(rows, self._columns)
            return
        for row in rows:
            if row.pop(self._again):
                raise key_repeats(row, self._columns)

    def _sql(self, after: list[Json] | None, most: int) -> str:
        """Whether a key is that of the row before is for the server to say, for 1.0 is 1.00;
        but where it can be seen."""
        key = ", ".join(self._key)
        first = len(self._args) + 1
        values = ", ".join(f"${first + place}" for place in range(len(self._key)))
        where = "" if after is None else f"WHERE ({key}) > ({values})"
        if self._exact:
            return f"SELECT q.* {self._wrapped} {where} ORDER BY {key} LIMIT {most}"
        return (
            f"SELECT q.*, ({key}) = lag(({key})) OVER w AS {quoted(self._again)} {self._wrapped}"
            f" {where} WINDOW w AS (ORDER BY {key}) ORDER BY {key} LIMIT {most}"
        )
