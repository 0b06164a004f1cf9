"""What the tools would do to the folder, told without doing it."""

from __future__ import annotations

from typing import Any

from drawloom.connectors.storage.files.appending import append_jsonl, append_lines
from drawloom.connectors.storage.files.lines import read_jsonl, write_jsonl
from drawloom.connectors.storage.files.streams import stream_csv, stream_jsonl, stream_lines
from drawloom.connectors.storage.files.tables import read_csv, write_csv
from drawloom.connectors.storage.files.texts import encoded, read_text, write_text
from drawloom.connectors.storage.files.tools import copy, delete, exists, list_
from drawloom.sdk import invalid
from drawloom.sdk.doors import Folder
from drawloom.sdk.planning import Touch


@read_text.plan
@read_csv.plan
@read_jsonl.plan
@stream_csv.plan
@stream_jsonl.plan
@stream_lines.plan
def _read(folder: Folder, path: str, **_: Any) -> list[Touch]:
    return [Touch("reads", f"bytes of {path}", _there(folder, path))]


@list_.plan
def _list(folder: Folder, pattern: str = "**", **_: Any) -> list[Touch]:
    return [Touch("reads", f"the names of files that fit {pattern}")]


@exists.plan
def _exists(folder: Folder, path: str) -> list[Touch]:
    return [Touch("reads", f"whether {path} is there")]


@write_text.plan
def _write_text(folder: Folder, path: str, text: str, encoding: str = "utf-8") -> list[Touch]:
    written = len(encoded(text, encoding, path))
    return [_written(folder, path, f"{path}, {written} bytes")]


@write_csv.plan
@write_jsonl.plan
def _write_rows(folder: Folder, path: str, rows: Any, **_: Any) -> list[Touch]:
    many = f"{len(rows)} rows" if isinstance(rows, list) else "as many rows as come"
    return [_written(folder, path, f"{path}, {many}")]


@append_jsonl.plan
def _append_rows(folder: Folder, path: str, rows: list[Any]) -> list[Touch]:
    return [_written(folder, path, f"{path}, {len(rows)} more lines")]


@append_lines.plan
def _append_lines(folder: Folder, path: str, lines: list[str]) -> list[Touch]:
    return [_written(folder, path, f"{path}, {len(lines)} more lines")]


@copy.plan
def _copy(folder: Folder, source: str, target: str) -> list[Touch]:
    bytes_ = _there(folder, source)
    written = _written(folder, target, f"{target}, {bytes_} bytes")
    return [Touch("reads", f"bytes of {source}", bytes_), written]


@delete.plan
def _delete(folder: Folder, path: str) -> list[Touch]:
    found = folder.find(path)
    if found is None:
        return [Touch("reads", f"whether {path} is there: it is not, so nothing is deleted")]
    return [Touch("deletes", f"{path}, {found.bytes} bytes")]


def _there(folder: Folder, path: str) -> int:
    found = folder.find(path)
    if found is None:
        raise invalid(f"there is no file {path!r} now")
    return found.bytes


def _written(folder: Folder, path: str, what: str) -> Touch:
    found = folder.find(path)
    if found is None:
        return Touch("creates", what)
    return Touch("changes", f"{what}; now {found.bytes} bytes")
