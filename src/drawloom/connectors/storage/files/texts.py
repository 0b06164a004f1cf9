"""Whole texts."""

from __future__ import annotations

import codecs

from drawloom.connectors.storage.files.answers import Text, Written
from drawloom.connectors.storage.files.connection import connector
from drawloom.sdk import invalid
from drawloom.sdk.doors import Folder


@connector.tool(effect="read")
def read_text(folder: Folder, path: str, encoding: str = "utf-8") -> Text:
    """Read a whole text file.

    *encoding* is the name of a character encoding, such as `utf-8`, `latin-1`
    or `utf-16`. A byte order mark is not part of the text; line ends stay as
    they are. Bytes that the encoding does not have are an error.
    """
    content = folder.read(path)
    return {"text": decoded(content, encoding, path), "bytes": len(content)}


@connector.tool(effect="idempotent")
def write_text(folder: Folder, path: str, text: str, encoding: str = "utf-8") -> Written:
    """Write a whole text file, replacing what is there.

    The file appears whole or not at all. Missing folders are made. Characters
    that *encoding* does not have are an error.
    """
    return {"path": path, "bytes": folder.write(path, encoded(text, encoding, path))}


def decoded(content: bytes, encoding: str, path: str) -> str:
    """*content* as text. Raises `ToolError` (invalid) naming the byte that does not fit."""
    try:
        return content.decode(without_mark(encoding))
    except UnicodeDecodeError as exc:
        raise invalid(f"{path!r}: byte {exc.start} is not {encoding}: {exc.reason}") from None


def encoded(text: str, encoding: str, path: str) -> bytes:
    """*text* as bytes. Raises `ToolError` (invalid) naming the character that does not fit."""
    try:
        return text.encode(text_encoding(encoding))
    except UnicodeEncodeError as exc:
        character = text[exc.start]
        raise invalid(
            f"{path!r}: character {exc.start}, {character!r}, cannot be written as {encoding}; "
            "use utf-8"
        ) from None


def without_mark(encoding: str) -> str:
    """The encoding that also leaves out a byte order mark at the beginning."""
    name = text_encoding(encoding)
    return "utf-8-sig" if name == "utf-8" else name


def text_encoding(encoding: str) -> str:
    """The canonical name of a character encoding; codecs that are something else are refused."""
    try:
        name = codecs.lookup(encoding).name
        "".encode(name)  # `zip` and its like are codecs, but no character encodings
    except (LookupError, ValueError):
        raise invalid(
            f"{encoding[:60]!r} is not a character encoding; write for example utf-8 or latin-1",
            path="/encoding",
        ) from None
    return name
