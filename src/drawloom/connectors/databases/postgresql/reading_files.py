"""A file on its way into a table: its columns, its pieces, and the line of what is refused."""

from __future__ import annotations

import asyncio
import csv
import io
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from drawloom.connectors.databases.postgresql.catalogue import Relation, nearest
from drawloom.connectors.databases.postgresql.faults import FAULTS
from drawloom.errors import ToolError, invalid
from drawloom.sdk import name_fault

_PIECE = 512 * 1024  # bytes
_BOM = b"\xef\xbb\xbf"
_SHOWN = 200  # characters of the server's words about the place
_PLACE = re.compile(r"^COPY .*$", re.MULTILINE)
_LINE = re.compile(r", line (\d+)")


async def opened(
    file: Any, path: str, relation: Relation, columns: list[str] | None, options: dict[str, Any]
) -> tuple[list[str] | None, AsyncIterator[bytes]]:
    """The columns that the file fills (None: all), and its bytes."""
    first = await asyncio.to_thread(file.read, _PIECE)
    if options["format"] != "binary":
        first = first.removeprefix(_BOM)
    if columns is not None:
        _check(relation, columns, "columns", "/columns")
    elif options.get("header"):
        columns = _header(first, path, options["delimiter"] or ",")
        _check(relation, columns, f"the header of {path!r}", "/path")
    return columns, _pieces(file, first)


async def _pieces(file: Any, first: bytes) -> AsyncIterator[bytes]:
    piece = first
    while piece:
        yield piece
        piece = await asyncio.to_thread(file.read, _PIECE)


def _header(first: bytes, path: str, delimiter: str) -> list[str]:
    """The names in the first row. Raises `ToolError` (invalid)."""
    # What the piece ends in may be half a character, but not where the names are.
    text = first.decode("utf-8", errors="surrogateescape")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = next(reader, None)
    except csv.Error as exc:
        raise invalid(f"{path!r}: its header is no CSV: {exc}", path="/path") from None
    if not names:
        raise invalid(f"{path!r} has no header; say header: false, and `columns`", path="/path")
    return names


def _check(relation: Relation, columns: list[str], what: str, place: str) -> None:
    for name in columns:
        if name not in relation.columns:
            more = nearest(name, relation.columns) or f"; it has {', '.join(relation.columns)}"
            raise invalid(f"{what}: {relation.name!r} has no column {name!r}{more}", path=place)
        if columns.count(name) > 1:
            raise invalid(f"{what}: the column {name!r} is named twice", path=place)


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Say in a failure of the server in which line of the file it is."""
    import asyncpg

    try:
        yield
    except asyncpg.PostgresError as exc:
        where = _PLACE.search(getattr(exc, "context", None) or "")
        if where is None:
            raise
        failure = name_fault(FAULTS, exc)
        told = where[0] if len(where[0]) <= _SHOWN else where[0][:_SHOWN] + "…"
        details = {**(failure.details or {}), "path": "/path"}
        if line := _LINE.search(where[0]):
            details["line"] = int(line[1])
        message = f"{path!r}: {failure.message} ({told})"
        raise ToolError(replace(failure, message=message, details=details)) from exc
