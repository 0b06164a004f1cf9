"""Rows of a SELECT, however many, read portion by portion behind the key of the last one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from drawloom.connectors.databases.mysql.binding import bound, literal, quoted, read_statement
from drawloom.connectors.databases.mysql.connection import connector
from drawloom.connectors.databases.mysql.keys import KeyColumn, key_columns
from drawloom.connectors.databases.mysql.reading import Reader
from drawloom.connectors.databases.mysql.tools import Args, Sql
from drawloom.connectors.databases.mysql.values import Column
from drawloom.errors import invalid
from drawloom.sdk import Chunk, Context, Json, Row
from drawloom.sdk.paging import StreamKey, check_keys, chunks_behind, key_names, key_repeats

if TYPE_CHECKING:
    from drawloom.connectors.databases.mysql.client import Client


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
    named = key_names(key)
    query = await _opened(client, sql, args or [], named, new=context.after is None)
    async with aclosing(chunks_behind(query.behind, named, context)) as chunks:
        async for chunk in chunks:
            yield chunk


async def _opened(
    client: Client, sql: str, args: list[Json], named: list[str], *, new: bool
) -> _Portions:
    """The query, once it is known to be sound: one SELECT, its values, its key."""
    statement = read_statement(sql)
    async with client.reading(clean=statement.clean) as session:
        body = _body(bound(session.connection, statement, args))
        described = await session.run(f"SELECT * {body} LIMIT 0")
        columns = Reader(described.columns).columns
        query = _Portions(client, body, columns, key_columns(columns, named), statement.clean)
        if new:  # a row without a key is behind no other, and would never be seen again
            [(lacking,)] = await session.rows(query.lacking())
            if lacking:
                raise invalid(f"the key ({', '.join(named)}) is null in a row", path="/key")
    return query


def _body(sql: str) -> str:
    """The SELECT as a table. A comment may end the SQL: what follows needs a line of its own."""
    return f"FROM ({sql.rstrip().rstrip(';')}\n) AS q"


class _Portions:
    """The SELECT, wrapped so that it gives what is behind a key, and tells keys that repeat."""

    def __init__(
        self, client: Client, body: str, columns: list[Column], key: list[KeyColumn], clean: bool
    ) -> None:
        self._client, self._body, self._clean = client, body, clean
        self._names = [column.name for column in columns]
        self._key = key
        self._named = [column.name for column in key]
        self._asks = any(column.is_text for column in key)
        self._again = "again"
        while self._again in [name.lower() for name in self._names]:
            self._again += "_"

    def lacking(self) -> str:
        """Asks for a row whose key is null."""
        null = " OR ".join(f"{column.sql('q')} IS NULL" for column in self._key)
        return f"SELECT EXISTS (SELECT * {self._body} WHERE {null})"

    async def behind(self, after: list[Json] | None, most: int) -> tuple[list[Row], bool]:
        """The next rows, and whether there are more. One too many is asked for."""
        async with self._client.reading(clean=self._clean) as session:
            where = "" if after is None else f"WHERE {self._behind(session.connection, after)}"
            # One more than there can be: so that the end is read, and the connection kept.
            _, rows = await session.read(self._sql(where, most + 1), most + 2)
        self._check_keys(rows)
        return rows[:most], len(rows) > most

    def _check_keys(self, rows: list[Row]) -> None:
        """Raises `ToolError` (invalid) where two rows have one key. They stand side by side."""
        if self._asks:
            for row in rows:
                if row.pop(self._again):
                    raise key_repeats(row, self._named)
            return
        check_keys(rows, self._named)

    def _sql(self, where: str, most: int) -> str:
        """Whether a text is that of the row before is for the server to say."""
        inner, outer = (", ".join(one.sql(at) for one in self._key) for at in ("q", "p"))
        portion = f"SELECT q.* {self._body} {where} ORDER BY {inner} LIMIT {most}"
        if not self._asks:
            return portion
        same = " AND ".join(f"{one.sql('p')} <=> LAG({one.sql('p')}) OVER w" for one in self._key)
        return (
            f"SELECT p.*, {same} AS {quoted(self._again)} FROM ({portion}) AS p"
            f" WINDOW w AS (ORDER BY {outer}) ORDER BY {outer}"
        )

    def _behind(self, connection: Any, after: list[Json]) -> str:
        """(a, b) > (x, y), in words that an index is used for."""
        if not isinstance(after, list) or len(after) != len(self._key):
            raise invalid("the cursor is none of this key", path="/key")
        values = [
            literal(connection, column.encode(value))
            for column, value in zip(self._key, after, strict=True)
        ]
        names = [column.sql("q") for column in self._key]
        sql = f"{names[-1]} > {values[-1]}"
        for name, value in zip(names[-2::-1], values[-2::-1], strict=True):
            sql = f"{name} >= {value} AND ({name} > {value} OR ({sql}))"
        return sql
