"""Files of the connection's folder into tables, and what queries find into files, by COPY.

The server itself opens no file and runs no program: it is always STDIN and STDOUT.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypedDict

from drawloom.connectors.databases.postgresql.binding import prepare
from drawloom.connectors.databases.postgresql.catalogue import Relation, find_relation
from drawloom.connectors.databases.postgresql.connection import connector
from drawloom.connectors.databases.postgresql.copying import Copied
from drawloom.connectors.databases.postgresql.effects import once
from drawloom.connectors.databases.postgresql.filters import Binder, Order, order_by
from drawloom.connectors.databases.postgresql.inlining import inlined
from drawloom.connectors.databases.postgresql.reading_files import naming, opened
from drawloom.connectors.databases.postgresql.tables import (
    Names,
    Schema,
    Table,
    Where,
    selection,
)
from drawloom.errors import invalid
from drawloom.sdk import Context, Json
from drawloom.sdk.blocking import in_thread

if TYPE_CHECKING:
    from drawloom.connectors.databases.postgresql.client import Client

File = Annotated[str, Field(min_length=1, description="A file in the connection's folder.")]
Form = Annotated[
    Literal["csv", "text", "binary"],
    Field(description="CSV, or the server's own text (with tabs) or binary form."),
]
Header = Annotated[
    bool | None, Field(description="A first line with the names of the columns; of CSV alone.")
]
Delimiter = Annotated[
    str | None,
    Field(pattern=r"^[\t -!#-\[\]-~]$", description="Else a comma, or a tab in the text form."),
]
Null = Annotated[
    str | None, Field(max_length=100, description="What stands for null; else nothing, or \\N.")
]
Deadline = Annotated[
    float | None,
    Field(gt=0, le=86_400, description="Seconds for the whole; else the connection's timeout."),
]

_PIECE = 1024 * 1024  # bytes that go to the disk at once


class CopiedFile(TypedDict):
    """The file that was written: its size in bytes, and how many rows are in it."""

    path: str
    bytes: int
    count: int


@connector.tool(effect="idempotent")
async def copy_to_file(
    client: Client,
    path: File,
    sql: Annotated[
        str | None, Field(min_length=1, description="One SELECT, with $1, $2 … for values.")
    ] = None,
    args: Annotated[list[Json] | None, Field(description="The values of $1, $2 …")] = None,
    table: Annotated[str | None, Field(min_length=1, description="Instead of `sql`.")] = None,
    columns: Names = None,
    where: Where = None,
    order: list[Order] | None = None,
    schema: Schema = None,
    format: Form = "csv",
    header: Header = None,
    delimiter: Delimiter = None,
    null: Null = None,
    deadline: Deadline = None,
) -> CopiedFile:
    """Write what a SELECT, or a filter of a table, finds into a file, replacing what is there.

    The file appears whole or not at all, and may be as large as the connection's
    `max_file_bytes`. To write it again is to write the same name anew, so that a call
    which is repeated does no harm. The transaction is READ ONLY. Values are written as
    the server writes them, which `copy_from_file` reads again. CSV has a header unless
    `header` is false.
    """
    options = copy_options(format, header, delimiter, null)
    source = Source(sql, args, table, columns, where, order, schema)
    async with in_thread(client.folder.replace(path)) as file, client.reading() as connection:
        query = await source.query(connection)
        drain = _Drain(file)
        patience = await _patience(client, connection, deadline)
        status = await connection.copy_from_query(
            f"{query.rstrip().rstrip(';')}\n", output=drain.take, timeout=patience, **options
        )
        await drain.empty()
    return CopiedFile(path=path, bytes=file.passed, count=int(status.rpartition(" ")[2]))


@connector.tool(effect="keyed")
async def copy_from_file(
    client: Client,
    table: Table,
    path: File,
    context: Context,
    columns: Names = None,
    schema: Schema = None,
    format: Form = "csv",
    header: Header = None,
    delimiter: Delimiter = None,
    null: Null = None,
    deadline: Deadline = None,
) -> Copied:
    """Add the rows of a file to a table by COPY: all or none, and once.

    The header of CSV says which columns the fields are of; `columns` says it instead,
    and the header is skipped. With `header: false` it is all columns of the table,
    unless `columns` names some. The file is UTF-8 and is read piece by piece. A row
    that the server refuses is named by its line.
    """
    options = copy_options(format, header, delimiter, null)

    async def run(connection: Any) -> Copied:
        relation = await find_relation(connection, table, schema)
        async with in_thread(client.folder.open(path)) as file:
            named, pieces = await opened(file, path, relation, columns, options)
            patience = await _patience(client, connection, deadline)
            with naming(path):
                status = await connection.copy_to_table(
                    relation.name, schema_name=relation.schema, columns=named,
                    source=pieces, timeout=patience, **options,
                )  # fmt: skip
        return Copied(count=int(status.rpartition(" ")[2]))

    return await once(client, context.key, run)


def copy_options(
    form: str, header: bool | None, delimiter: str | None, null: str | None
) -> dict[str, Any]:
    """The options of COPY. Raises `ToolError` (invalid) for one that the form has not."""
    if form != "csv" and header:
        raise invalid("a header is for format: csv alone", path="/header")
    if form == "binary" and not (delimiter is None and null is None):
        raise invalid("format: binary has no delimiter and no null", path="/format")
    options: dict[str, Any] = {"format": form, "delimiter": delimiter, "null": null}
    if form == "csv":
        options["header"] = header is not False
    if form != "binary":
        options["encoding"] = "UTF8"
    return options


@dataclass(frozen=True, slots=True)
class Source:
    """What is to be written: one SELECT and its values, or a table and a filter."""

    sql: str | None
    args: list[Json] | None
    table: str | None
    columns: list[str] | None
    where: Any
    order: Any
    schema: str | None

    async def written(self, connection: Any) -> tuple[str, Binder]:
        """The SELECT, and the values of its parameters. Raises `ToolError` (invalid)."""
        binder = Binder()
        if self.sql is not None and not self._of_table():
            for at, value in enumerate(self.args or []):
                binder.bind(value, f"args[{at}] (${at + 1})")
            return self.sql, binder
        if self.table is None or self.sql is not None or self.args is not None:
            raise invalid(
                "give `sql` and its `args`, or `table` with `columns`, `where` and `order`"
            )
        relation: Relation = await find_relation(connection, self.table, self.schema)
        sql = selection(relation, self.columns, self.where, binder)
        return sql + order_by(relation, self.order), binder

    async def query(self, connection: Any) -> str:
        """The SELECT with its values in it, as COPY takes it."""
        sql, binder = await self.written(connection)
        statement = await prepare(connection, sql)
        count = len(statement.get_parameters())
        if count != len(binder.values):
            raise invalid(f"the SQL has {count} parameters, args has {len(binder.values)}")
        return await inlined(connection, statement, sql, binder.values, binder.places)

    def _of_table(self) -> bool:
        given = (self.table, self.columns, self.where, self.order, self.schema)
        return any(one is not None for one in given)


class _Drain:
    """What the server sends, gathered into pieces that are worth a write to the disk."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._parts: list[bytes] = []
        self._size = 0

    async def take(self, data: bytes) -> None:
        self._parts.append(data)
        self._size += len(data)
        if self._size >= _PIECE:
            await self.empty()

    async def empty(self) -> None:
        piece, self._parts, self._size = b"".join(self._parts), [], 0
        if piece:
            await asyncio.to_thread(self._file.write, piece)


async def _patience(client: Client, connection: Any, deadline: float | None) -> float:
    """Let the server end the COPY after the deadline; seconds after which to give up on it."""
    seconds = client.settings.timeout if deadline is None else deadline
    if deadline is not None:
        await connection.execute(
            "SELECT pg_catalog.set_config('statement_timeout', $1, true)",
            str(max(1, round(deadline * 1_000))),
        )
    return seconds + 10.0
