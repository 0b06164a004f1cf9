"""Rows of any number into a table, by COPY."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from itertools import count
from operator import itemgetter, length_hint
from typing import TYPE_CHECKING, Any

from typing_extensions import TypedDict

from drawloom.connectors.databases.postgresql.binding import bound_cell, taker
from drawloom.connectors.databases.postgresql.catalogue import Relation, find_relation
from drawloom.connectors.databases.postgresql.connection import connector
from drawloom.connectors.databases.postgresql.effects import once
from drawloom.connectors.databases.postgresql.reading import is_plain_type
from drawloom.connectors.databases.postgresql.tables import Missing, Names, Schema, Table
from drawloom.errors import invalid
from drawloom.sdk import Context, Row, Stream
from drawloom.sdk.encoding import write_json

if TYPE_CHECKING:
    from drawloom.connectors.databases.postgresql.client import Client

# Rows of one COPY: its time is that of one statement, and memory holds no more of them.
_PORTION = 25_000
_BYTES = 16 * 1024 * 1024  # of JSON, about
_SOME = 1_000


class Copied(TypedDict):
    """How many rows went in."""

    count: int


@connector.tool(effect="keyed")
async def copy_in(
    client: Client,
    table: Table,
    rows: Stream[Row],
    context: Context,
    columns: Names = None,
    schema: Schema = None,
    missing: Missing = "error",
) -> Copied:
    """Add rows to a table by COPY, however many: all or none, and once.

    The rows are a stream or a list. `columns` are those to fill; without it, those of
    the first row. One transaction, and with it a connection, is held until the last row
    has come. A call that is made again reads the stream anew, unless the first one was
    committed: then it does nothing. Triggers and constraints of the table hold as ever.
    """

    async def run(connection: Any) -> Copied:
        relation = await find_relation(connection, table, schema)
        load: _Load | None = None
        async for portion in _portions(rows):
            load = load or await _begun(connection, relation, columns or list(portion[0]), missing)
            await load.copy(portion)
        return Copied(count=load.count if load else 0)

    return await once(client, context.key, run)


async def _portions(rows: Stream[Row]) -> AsyncIterator[list[Row]]:
    portion: list[Row] = []
    size = 0
    async for some in rows.chunks():
        for at in range(0, len(some), _SOME):
            few = some[at : at + _SOME]
            portion += few
            size += len(write_json(few[0])) * len(few)  # about: one speaks for its neighbours
            if len(portion) >= _PORTION or size >= _BYTES:
                yield portion
                portion, size = [], 0
    if portion:
        yield portion


async def _begun(
    connection: Any, relation: Relation, columns: list[str], missing: Missing
) -> _Load:
    listed = relation.listed(columns, "/columns")
    statement = await connection.prepare(f"SELECT {listed} FROM {relation.sql} LIMIT 0")
    kinds = [attribute.type for attribute in statement.get_attributes()]
    return _Load(connection, relation, columns, kinds, missing == "null")


_OF_CODEC: dict[str, set[type]] = {
    **{name: {int, type(None)} for name in ("int2", "int4", "int8")},
    **{name: {float, type(None)} for name in ("float4", "float8")},
}


def _is_number(kind: Any) -> bool:
    return is_plain_type(kind) and taker(kind) is not None


def _getter(columns: Sequence[str]) -> Callable[[Row], Sequence[Any]]:
    """What takes the values of just these columns from a row; KeyError where one is not there."""
    if len(columns) == 1:
        [only] = columns
        return lambda row: (row[only],)
    return itemgetter(*columns)


class _Load:
    """A table that is being filled, and how far that has come."""

    def __init__(
        self,
        connection: Any,
        relation: Relation,
        columns: Sequence[str],
        kinds: Sequence[Any],
        missing_is_null: bool,
    ) -> None:
        self.count = 0
        self._connection = connection
        self._relation = relation
        self._columns = tuple(columns)
        self._values = _getter(columns)
        # What has parts is converted first, and numbers where one is written otherwise; all
        # else is the codecs' alone.
        self._parts = [(at, kind) for at, kind in enumerate(kinds) if not is_plain_type(kind)]
        self._numbers = [(at, kind) for at, kind in enumerate(kinds) if _is_number(kind)]
        self._missing_is_null = missing_is_null

    async def copy(self, rows: Sequence[Row]) -> None:
        """Add some rows. Raises `ToolError` (invalid) with the number of one that is refused."""
        converted = [*self._parts, *(one for one in self._numbers if not self._fit(one, rows))]
        records = self._taken(rows) or list(map(self._picked, rows, count(self.count)))
        if converted:
            for at, record in enumerate(records):
                records[at] = await self._with_parts(list(record), self.count + at, converted)
        coming = iter(records)
        from asyncpg import InternalClientError

        try:
            await self._connection.copy_records_to_table(
                self._relation.name,
                schema_name=self._relation.schema,
                columns=self._columns,
                records=coming,
            )
        except (ValueError, TypeError) as exc:  # of a codec: the driver lets it through
            reached = self.count + len(records) - length_hint(coming) - 1
            raise invalid(f"rows[{reached}]: {exc}", path="/rows") from exc
        except InternalClientError as exc:  # it says which type has no binary form
            raise invalid(f"COPY cannot fill {self._relation.name}: {exc}; use insert") from exc
        self.count += len(rows)

    def _taken(self, rows: Sequence[Row]) -> list[Sequence[Any]] | None:
        """The values of rows that have the columns and no more; None where one differs."""
        if set(map(len, rows)) != {len(self._columns)}:
            return None
        try:
            return list(map(self._values, rows))
        except KeyError:
            return None

    def _picked(self, row: Row, number: int) -> Sequence[Any]:
        """The values of a row which may lack some. Raises `ToolError` (invalid)."""
        for name in row:
            if name not in self._columns:
                told = f"rows[{number}] has {name!r}, which is no column to fill"
                raise invalid(f"{told}; they are {', '.join(self._columns)}", path="/rows")
        lost = [name for name in self._columns if name not in row]
        if lost and not self._missing_is_null:
            told = f"rows[{number}] has no {lost[0]!r}; missing: null stores NULL for it"
            raise invalid(told, path="/rows")
        return [row.get(name) for name in self._columns]

    def _fit(self, number: tuple[int, Any], rows: Sequence[Row]) -> bool:
        """Whether the codec takes a column as it is: numbers of the very kind, or null."""
        at, kind = number
        name = self._columns[at]
        try:
            return set(map(type, map(itemgetter(name), rows))) <= _OF_CODEC[kind.name]
        except KeyError:
            return False

    async def _with_parts(
        self, record: list[Any], number: int, parts: Sequence[tuple[int, Any]]
    ) -> list[Any]:
        for at, kind in parts:
            place = f"rows[{number}]: column {self._columns[at]}"
            record[at] = await bound_cell(self._connection, kind, record[at], place)
        return record
