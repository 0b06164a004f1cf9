"""What the tools of this connector give."""

from __future__ import annotations

from typing_extensions import TypedDict

from drawloom.sdk import Json


class Text(TypedDict):
    """The text of a file, without its byte order mark, and the file's size in bytes."""

    text: str
    bytes: int


class Table(TypedDict):
    """Rows under their columns. `truncated` is true where a limit left rows unread."""

    rows: list[dict[str, Json]]
    columns: list[str]
    count: int
    truncated: bool


class Lines(TypedDict):
    """One value a line. `truncated` is true where a limit left lines unread."""

    rows: list[Json]
    count: int
    truncated: bool


class Added(TypedDict):
    """What was added to a file, in bytes and rows; `again` where it had been added before."""

    path: str
    bytes: int
    count: int
    again: bool


class Written(TypedDict):
    """A file that is whole and on the disk, with its size in bytes."""

    path: str
    bytes: int


class WrittenRows(TypedDict):
    """A file that is whole and on the disk, with its size in bytes and its rows."""

    path: str
    bytes: int
    count: int


class File(TypedDict):
    """One file: its path in the folder, size in bytes, and when it changed (RFC 3339, UTC)."""

    path: str
    bytes: int
    modified: str


class Listing(TypedDict):
    """Files, sorted by path. `truncated` is true where a limit left some out."""

    files: list[File]
    count: int
    truncated: bool


class Presence(TypedDict):
    """Whether there is a file, and its size in bytes."""

    exists: bool
    bytes: int | None


class Deletion(TypedDict):
    """Whether there was a file to delete."""

    deleted: bool
