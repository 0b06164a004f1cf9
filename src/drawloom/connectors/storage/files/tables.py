"""CSV files (RFC 4180): rows of named fields, exact both ways."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any

from pydantic import Field

from drawloom.connectors.storage.files.answers import Table, WrittenRows
from drawloom.connectors.storage.files.cells import ColumnType, cell_text, converter
from drawloom.connectors.storage.files.connection import connector
from drawloom.connectors.storage.files.replacing import written
from drawloom.connectors.storage.files.texts import text_encoding, without_mark
from drawloom.sdk import Row, Stream, ToolError, invalid
from drawloom.sdk.doors import Folder

Delimiter = Annotated[
    str, Field(pattern=r'^[^"\r\n]$', description="One mark, such as , ; | or a tab.")
]


@connector.tool(effect="read")
def read_csv(
    folder: Folder,
    path: str,
    delimiter: Delimiter = ",",
    encoding: str = "utf-8",
    header: bool = True,
    columns: list[str] | None = None,
    types: dict[str, ColumnType] | None = None,
    limit: Annotated[int, Field(ge=0)] | None = None,
) -> Table:
    """Read a CSV file as rows of named fields.

    The first row names the columns; *columns* names them instead, and with
    `header: false` there is no such row. Fields are text, unless *types* says
    `integer`, `number` or `boolean` for a column: then each is converted where
    that loses nothing (an empty one to null), and is an error that names line
    and column where it would. A row with more or fewer fields than there are
    columns is an error that names its line. *limit* is how many rows are read
    at most.
    """
    with folder.open(path) as file, _text(file.buffered(), without_mark(encoding)) as lines:
        records = _records(lines, delimiter, path, folder.max_bytes)
        names = _columns(records, header, columns, path)
        rows = _rows(records, names, types or {}, path)
        kept = list(islice(rows, limit))
        truncated = next(rows, None) is not None
    return {"rows": kept, "columns": names, "count": len(kept), "truncated": truncated}


@connector.tool(effect="idempotent")
async def write_csv(
    folder: Folder,
    path: str,
    rows: Stream[Row],
    columns: list[str] | None = None,
    delimiter: Delimiter = ",",
    encoding: str = "utf-8",
) -> WrittenRows:
    """Write rows of named fields as a CSV file, replacing what is there.

    *rows* are a list or a stream. *columns* names and orders the fields; without it the first row does. A row
    that lacks one or has another is an error that names it. Null is written as
    an empty field, true and false as such; lists and objects are an error. The
    file appears whole or not at all. Missing folders are made.
    """
    names = None if columns is None else _check_names(columns, "columns")
    encoder = codecs.getincrementalencoder(text_encoding(encoding))()
    return await written(folder, path, rows, _Writing(names, delimiter, encoder).add)


class _Writing:
    """A CSV file under way: the header comes with the first rows."""

    def __init__(
        self, names: list[str] | None, delimiter: str, encoder: codecs.IncrementalEncoder
    ) -> None:
        self._names = names
        self._delimiter = delimiter
        self._encoder = encoder
        self._writer: Any = None
        self._count = 0

    def add(self, file: Any, rows: list[Row]) -> None:
        """Write the header, if it is still to come, and *rows*."""
        if self._writer is None:
            self._begin(file, rows)
        names = self._names or []
        wanted = set(names)
        for number, row in enumerate(rows, self._count):
            if row.keys() != wanted:
                raise _misfit(row, names, number)
            self._writer.writerow([cell_text(row[name], number, name) for name in names])
        self._count += len(rows)

    def _begin(self, file: Any, rows: list[Row]) -> None:
        if self._names is None:
            self._names = _check_names(list(*rows[:1]), "columns")
        # TextIOWrapper would leave out the byte order mark: the file cannot seek.
        lines = _Encoded(file, self._encoder)
        self._writer = csv.writer(
            lines, delimiter=self._delimiter, lineterminator="\r\n", strict=True
        )
        self._writer.writerow(self._names)


@dataclass(frozen=True, slots=True)
class _Encoded:
    """What the csv module writes to."""

    file: Any
    encoder: codecs.IncrementalEncoder

    def write(self, text: str) -> None:
        self.file.write(self.encoder.encode(text))


@contextmanager
def _text(binary: Any, encoding: str) -> Iterator[io.TextIOWrapper]:
    """The file as text with its line ends kept, as the csv module wants it."""
    text = io.TextIOWrapper(binary, encoding, newline="")
    try:
        yield text
    finally:
        text.detach()  # the binary file belongs to the folder


def _records(
    lines: io.TextIOWrapper, delimiter: str, path: str, longest: int
) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line that it begins on; empty lines are passed over."""
    # The module's limit is global and low; the folder has bounded the file.
    csv.field_size_limit(max(csv.field_size_limit(), longest))
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as exc:
            raise invalid(f"{path!r} line {line}: {exc}") from None
        except UnicodeError as exc:
            raise invalid(f"{path!r} after line {line - 1}: {exc}; say the `encoding`") from None
        if record:
            yield line, record


def _columns(
    records: Iterator[tuple[int, list[str]]], header: bool, given: list[str] | None, path: str
) -> list[str]:
    if not header:
        if given is None:
            raise invalid("without a header row, `columns` must name the columns", path="/columns")
        return _check_names(given, "columns")
    _, found = next(records, (1, None))
    if found is None:
        raise invalid(f"{path!r} is empty: it has no header row")
    if given is not None and len(given) != len(found):
        raise invalid(f"{path!r} has {len(found)} columns; `columns` names {len(given)}")
    return _check_names(given if given is not None else found, f"{path!r}: the header")


def _check_names(names: list[str], where: str) -> list[str]:
    seen: set[str] = set()
    for number, name in enumerate(names, 1):
        if not name:
            raise invalid(f"{where}: column {number} has no name; give all names in `columns`")
        if name in seen:
            raise invalid(f"{where}: two columns are called {name!r}; give names in `columns`")
        seen.add(name)
    if not names:
        raise invalid(f"{where}: there is no column; name them in `columns`")
    return names


def _rows(
    records: Iterator[tuple[int, list[str]]],
    names: list[str],
    types: dict[str, ColumnType],
    path: str,
) -> Iterator[dict[str, Any]]:
    for name in types:
        if name not in names:
            raise invalid(f"types: {path!r} has no column {name!r}; it has {names}", path="/types")
    converters = [(name, converter(kind)) for name, kind in types.items() if kind != "string"]
    for line, record in records:
        if len(record) != len(names):
            raise invalid(f"{path!r} line {line}: {len(record)} fields, not {len(names)}")
        row: dict[str, Any] = dict(zip(names, record, strict=True))
        for name, convert in converters:
            row[name] = convert(row[name], path, line, name)
        yield row


def _misfit(row: Row, names: list[str], number: int) -> ToolError:
    missing = [name for name in names if name not in row]
    unknown = [name for name in row if name not in names]
    return invalid(f"rows/{number}: missing fields {missing}, unknown fields {unknown}")
