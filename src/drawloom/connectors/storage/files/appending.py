"""Adding to a file, each call's part exactly once, whatever crashes and whoever else writes."""

from __future__ import annotations

import json
import os
from typing import BinaryIO

from drawloom.connectors.storage.files.answers import Added
from drawloom.connectors.storage.files.connection import connector
from drawloom.sdk import Context, Failure, FailureKind, Json, ToolError
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
    content = b"".join(write_json(row).encode() + b"\n" for row in rows)
    *folders, name = path.split("/")
    beside = ["/".join([*folders, f".{name}.{ending}"]) for ending in ("parts", "next")]
    with folder.open_to_add(beside[0]) as file:
        notes = _Notes(file)
        _make_whole(folder, path, beside[1], notes)
        if (known := notes.parts.get(context.key)) is not None:
            return {"path": path, "bytes": known, "count": len(rows), "again": True}
        folder.write(beside[1], content)
        notes.begin(context.key, len(content))
        _make_whole(folder, path, beside[1], notes)
    return {"path": path, "bytes": len(content), "count": len(rows), "again": False}


class _Notes:
    """The notes beside a file: a line `[key, length]` per part, and `[key, length, "begun"]`
    for one whose content waits in the other file."""

    def __init__(self, file: BinaryIO) -> None:
        self.parts: dict[str, int] = {}
        self.begun: tuple[str, int] | None = None
        self.end: int | None = None  # where the noted parts end; None where there are none
        self._file = file
        good = 0
        for line in file:
            if not line.endswith(b"\n"):
                break  # a note that a crash cut off has never counted
            self._take(json.loads(line))
            good += len(line)
        file.truncate(good)
        file.seek(good)

    def _take(self, note: list[str | int]) -> None:
        key, length = str(note[0]), int(note[1])
        if len(note) == 3:
            self.begun = (key, length)
            return
        self.begun = None
        self.parts[key] = length
        self.end = (self.end or 0) + length

    def begin(self, key: str, length: int) -> None:
        """The content is on the disk, and is about to be added."""
        self._write([key, length, "begun"])

    def done(self, key: str, length: int) -> None:
        """The part is in the file, on the disk."""
        self._write([key, length])

    def _write(self, note: list[str | int]) -> None:
        self._file.write(json.dumps(note).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._take(note)


def _make_whole(folder: Folder, path: str, waiting: str, notes: _Notes) -> None:
    """Complete the part that is begun. Raises `ToolError` (conflict) for a file of others."""
    content = b"" if notes.begun is None else folder.read(waiting)
    with folder.open_to_add(path) as file:
        size = file.seek(0, os.SEEK_END)
        if notes.end is None:  # the first call: what was there before stays
            notes.done("", size)
        end = notes.end or 0
        if size < end:
            raise _changed(path, "is shorter than what was added to it")
        file.seek(end)
        if not content.startswith(written := file.read(len(content) + 1)):
            raise _changed(path, "holds what somebody else has added")
        file.write(content[len(written) :])
    if notes.begun is not None:
        notes.done(*notes.begun)


def _changed(path: str, how: str) -> ToolError:
    message = f"{path!r} {how}; move it away, with the hidden files beside it, or put it back"
    return ToolError(Failure(FailureKind.CONFLICT, message, harmless=True))
