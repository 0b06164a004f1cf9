"""Adding to a file, each call's part exactly once, whatever crashes and whoever else writes."""

from __future__ import annotations

import os

from drawloom.connectors.storage.files.answers import Added
from drawloom.connectors.storage.files.connection import connector
from drawloom.connectors.storage.files.notes import Notes
from drawloom.sdk import Context, Failure, FailureKind, Json, ToolError, invalid
from drawloom.sdk.doors import Folder
from drawloom.sdk.encoding import write_json


@connector.tool(effect="keyed")
def append_jsonl(folder: Folder, path: str, rows: list[Json], context: Context) -> Added:
    """Add values to a file, one JSON value a line; each call's exactly once.

    What a call adds is first written to a file beside it (`.NAME.next`) and noted in
    another (`.NAME.parts`). A part that a crash left half-written is completed by
    whoever comes next, and a call that is made again finds its note. Calls wait for
    each other. A file that somebody else has changed is a conflict: nothing of theirs
    is cut. Missing files are made.
    """
    return _added(folder, path, list(map(write_json, rows)), context.key)


@connector.tool(effect="keyed")
def append_lines(folder: Folder, path: str, lines: list[str], context: Context) -> Added:
    """Add lines of text to a file, in UTF-8; each call's exactly once.

    It is done as by `files.append_jsonl`. Lines end with a line feed; one that holds a line
    break itself is an error.
    """
    for number, line in enumerate(lines):
        if "\n" in line or "\r" in line:
            place = f"/lines/{number}"
            raise invalid(f"lines[{number}] holds a line break: split it first", path=place)
    return _added(folder, path, lines, context.key)


def _added(folder: Folder, path: str, lines: list[str], key: str) -> Added:
    *folders, name = path.split("/")
    noted, waiting = ("/".join([*folders, f".{name}.{end}"]) for end in ("parts", "next"))
    content = "".join(f"{line}\n" for line in lines).encode()
    with folder.open_to_add(noted) as file:
        notes = Notes(file, noted)
        inside_a_line = _make_whole(folder, path, waiting, notes)
        if (known := notes.length(key)) is not None:
            return {"path": path, "bytes": known, "count": len(lines), "again": True}
        if inside_a_line and content:
            content = b"\n" + content
        folder.write(waiting, content)
        notes.begin(key, len(content))
        _make_whole(folder, path, waiting, notes)
    return {"path": path, "bytes": len(content), "count": len(lines), "again": False}


def _make_whole(folder: Folder, path: str, waiting: str, notes: Notes) -> bool:
    """Complete the part that is begun; whether the file then ends inside a line.

    Raises `ToolError` (conflict) for a file of others.
    """
    content = folder.read(waiting) if notes.begun else b""
    with folder.open_to_add(path) as file:
        size = file.seek(0, os.SEEK_END)
        if notes.empty:  # the first call: what was there before stays
            notes.found(size)
        if size < notes.end:
            raise _changed(path, "is shorter than what was added to it")
        file.seek(notes.end)
        if not content.startswith(written := file.read(len(content) + 1)):
            raise _changed(path, "holds what somebody else has added")
        file.write(content[len(written) :])
        end = file.tell()
        file.seek(max(end - 1, 0))
        inside_a_line = file.read(1) not in (b"", b"\n")
    if notes.begun:
        notes.done()
    return inside_a_line


def _changed(path: str, how: str) -> ToolError:
    message = f"{path!r} {how}; move it away, with the hidden files beside it, or put it back"
    return ToolError(Failure(FailureKind.CONFLICT, message, harmless=True))
