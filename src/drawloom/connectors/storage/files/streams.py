"""Files of any size, read bit by bit, from where a reader stands."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from typing import Any, BinaryIO

from drawloom.connectors.storage.files.cells import ColumnType, converter
from drawloom.connectors.storage.files.connection import connector
from drawloom.connectors.storage.files.tables import Delimiter
from drawloom.sdk import Chunk, Context, Failure, FailureKind, Json, Row, ToolError, invalid
from drawloom.sdk.doors import Folder
from drawloom.sdk.encoding import read_json

_MARK = b"\xef\xbb\xbf"
_LONGEST_LINE = 64 << 20  # bytes


@connector.tool(effect="read")
async def stream_csv(
    folder: Folder,
    path: str,
    context: Context,
    delimiter: Delimiter = ",",
    columns: list[str] | None = None,
    types: dict[str, ColumnType] | None = None,
) -> AsyncIterator[Chunk[Row]]:
    """Read a CSV file of any size as a stream of rows, for a `for_each`.

    The file is UTF-8. Its first row names the columns, unless *columns* does: then
    every row is data. *types* converts as in `files.read_csv`. A record may span
    lines where it is quoted. The cursor is a place in the file, so that a run goes
    on where it stood; the file must not change meanwhile.
    """
    table = _CsvStream(folder, path, delimiter, columns, types or {})
    async for chunk in _chunks(folder, path, context, table.rows):
        yield chunk


@connector.tool(effect="read")
async def stream_jsonl(folder: Folder, path: str, context: Context) -> AsyncIterator[Chunk[Json]]:
    """Read a file of one JSON value a line, of any size, as a stream, for a `for_each`.

    The file is UTF-8; empty lines are passed over. The cursor is a place in the file.
    """

    def values(file: BinaryIO, start: int) -> Iterator[tuple[Json, int]]:
        for line, after in _lines(file, path, start):
            text = line.strip(b" \t\r\n")
            if text:
                where = f"{path!r} at byte {after - len(line)}"
                yield read_json(text, source=where, max_bytes=_LONGEST_LINE), after

    async for chunk in _chunks(folder, path, context, values):
        yield chunk


@connector.tool(effect="read")
async def stream_lines(folder: Folder, path: str, context: Context) -> AsyncIterator[Chunk[str]]:
    """Read a text file of any size as a stream of its lines, for a `for_each`.

    The file is UTF-8. Lines end with a line feed, or a carriage return and a line feed, which
    are left out; the last may lack them. The cursor is a place in the file.
    """

    def texts(file: BinaryIO, start: int) -> Iterator[tuple[str, int]]:
        for line, after in _lines(file, path, start):
            yield _text(line, path, after).removesuffix("\r\n").removesuffix("\n"), after

    async for chunk in _chunks(folder, path, context, texts):
        yield chunk


async def _chunks(
    folder: Folder, path: str, context: Context, values: Any
) -> AsyncIterator[Chunk[Any]]:
    """Chunks of what *values(file, start)* gives with the place behind each, read in a thread."""
    start = context.after or 0
    with folder.open_at(path, 0) as file:
        if file.seek(0, 2) < start:
            message = f"{path!r} ends before byte {start}, where its reader stands: it has changed"
            raise ToolError(Failure(FailureKind.CONFLICT, message))
        file.seek(0)
        found = values(file, start)
        while pairs := await asyncio.to_thread(_taken, found, context.batch):
            yield Chunk([value for value, _ in pairs], pairs[-1][1])


def _taken(found: Iterator[Any], most: int) -> list[Any]:
    return list(islice(found, most))


def _text(line: bytes, path: str, after: int) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise invalid(f"{path!r} before byte {after}: {exc}") from None


def _lines(file: BinaryIO, path: str, start: int) -> Iterator[tuple[bytes, int]]:
    """Lines from the place *start* on, each with the place behind it."""
    file.seek(start)
    after = start
    while line := file.readline(_LONGEST_LINE + 1):
        if len(line) > _LONGEST_LINE:
            raise invalid(f"{path!r} has a line of more than {_LONGEST_LINE} bytes at {after}")
        after += len(line)
        if after == len(line):  # the first of the file
            line = line.removeprefix(_MARK)
        if line:  # a mark alone is no line
            yield line, after


class _CsvStream:
    """Records of a CSV file (RFC 4180), from any record's beginning on."""

    def __init__(
        self,
        folder: Folder,
        path: str,
        delimiter: str,
        columns: list[str] | None,
        types: dict[str, ColumnType],
    ) -> None:
        self._path = path
        self._delimiter = delimiter
        self._columns = columns
        self._types = types
        self._after = 0

    def rows(self, file: BinaryIO, start: int) -> Iterator[tuple[Row, int]]:
        """Rows behind the place *start*; the header is read anew each time."""
        names, start = self._names(file, start)
        for name in self._types:
            if name not in names:
                raise invalid(f"types: {self._path!r} has no column {name!r}", path="/types")
        converters = [(n, converter(t)) for n, t in self._types.items() if t != "string"]
        for record, after in self._records(file, start):
            at = after
            if len(record) != len(names):
                raise invalid(
                    f"{self._path!r} before byte {at}: {len(record)} fields, not {len(names)}"
                )
            row: dict[str, Any] = dict(zip(names, record, strict=True))
            for name, convert in converters:
                row[name] = convert(row[name], self._path, at, name)
            yield row, after

    def _names(self, file: BinaryIO, start: int) -> tuple[list[str], int]:
        if self._columns is not None:
            return self._columns, start
        first = next(self._records(file, 0), None)
        if first is None:
            raise invalid(f"{self._path!r} is empty: it has no header row")
        names, behind = first
        if len(set(names)) < len(names) or not all(names):
            raise invalid(f"{self._path!r}: the header has a column twice, or without a name")
        return names, max(start, behind)

    def _records(self, file: BinaryIO, start: int) -> Iterator[tuple[list[str], int]]:
        """Each record with the place behind it; empty lines are passed over."""
        lines = _lines(file, self._path, start)
        reader = csv.reader(self._texts(lines), delimiter=self._delimiter, strict=True)
        while True:
            try:
                record = next(reader, None)
            except (csv.Error, UnicodeError) as exc:
                raise invalid(f"{self._path!r} before byte {self._after}: {exc}") from None
            if record is None:
                return
            if record:
                yield record, self._after

    def _texts(self, lines: Iterator[tuple[bytes, int]]) -> Iterator[str]:
        for line, after in lines:
            self._after = after
            yield line.decode("utf-8")
