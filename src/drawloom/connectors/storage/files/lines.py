"""JSON Lines: one JSON value a line (jsonlines.org)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any

from pydantic import Field

from drawloom.connectors.storage.files.answers import Lines, WrittenRows
from drawloom.connectors.storage.files.connection import connector
from drawloom.connectors.storage.files.replacing import written
from drawloom.sdk import Json, Stream
from drawloom.sdk.doors import Folder

_MARK = b"\xef\xbb\xbf"


@connector.tool(effect="read")
def read_jsonl(
    folder: Folder, path: str, limit: Annotated[int, Field(ge=0)] | None = None
) -> Lines:
    """Read a file of one JSON value a line.

    The file is UTF-8; empty lines are passed over. A line that is not JSON is
    an error that names it. *limit* is how many lines are read at most.
    """
    with folder.open(path) as file:
        values = _values(file.buffered(), path)
        rows = list(islice(values, limit))
        truncated = next(values, _NO_MORE) is not _NO_MORE
    return {"rows": rows, "count": len(rows), "truncated": truncated}


@connector.tool(effect="idempotent")
async def write_jsonl(folder: Folder, path: str, rows: Stream[Json]) -> WrittenRows:
    """Write a file of one JSON value a line, replacing what is there.

    *rows* are a list or a stream. The file appears whole or not at all. Missing
    folders are made.
    """
    from drawloom.sdk.encoding import write_json

    def add(file: Any, some: list[Json]) -> None:
        for row in some:
            file.write(write_json(row).encode() + b"\n")

    return await written(folder, path, rows, add)


_NO_MORE = object()


def _values(lines: Iterator[bytes], path: str) -> Iterator[Json]:
    from drawloom.sdk.encoding import read_json

    # Lines end at \n alone: U+2028 and its like may stand inside a JSON string.
    for number, line in enumerate(lines, 1):
        text = (line.removeprefix(_MARK) if number == 1 else line).strip(b" \t\r\n")
        if text:
            yield read_json(text, source=f"{path!r} line {number}")
