"""Finding, copying and deleting files."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import Annotated

from pydantic import Field

from drawloom.connectors.storage.files.answers import Deletion, File, Listing, Presence, Written
from drawloom.connectors.storage.files.connection import connector
from drawloom.sdk.doors import Entry, Folder


@connector.tool(effect="read")
def list_(
    folder: Folder, pattern: str = "**", limit: Annotated[int, Field(ge=1)] = 10_000
) -> Listing:
    """List the files that fit a pattern.

    `*`, `?` and `[a-z]` stand for marks of one name, `**` for any folders:
    `*.csv` are those at the top, `**/*.csv` those at any depth. Symbolic links
    are left out. *limit* bounds how many are given.
    """
    found = list(islice(folder.entries(pattern), limit + 1))
    files = [_file(entry) for entry in found[:limit]]
    return {"files": files, "count": len(files), "truncated": len(found) > limit}


@connector.tool(effect="read")
def exists(folder: Folder, path: str) -> Presence:
    """Say whether there is a file, and how large it is."""
    found = folder.find(path)
    return {"exists": found is not None, "bytes": found.bytes if found else None}


@connector.tool(effect="idempotent")
def delete(folder: Folder, path: str) -> Deletion:
    """Delete a file; no error where there is none."""
    return {"deleted": folder.delete(path)}


@connector.tool(effect="idempotent")
def copy(folder: Folder, source: str, target: str) -> Written:
    """Copy a file inside the folder, replacing what is there.

    The copy appears whole or not at all. Missing folders are made.
    """
    return {"path": target, "bytes": folder.copy(source, target)}


def _file(entry: Entry) -> File:
    modified = datetime.fromtimestamp(entry.modified, UTC).isoformat().replace("+00:00", "Z")
    return {"path": entry.path, "bytes": entry.bytes, "modified": modified}
