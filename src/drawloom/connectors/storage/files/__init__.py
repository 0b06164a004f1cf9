"""Text, CSV and JSON Lines files inside one folder, read with limits and written whole."""

from __future__ import annotations

from drawloom.connectors.storage.files import (
    appending,
    lines,
    planning,
    streams,
    tables,
    texts,
    tools,
)
from drawloom.connectors.storage.files.connection import FilesConnection, connector

__all__ = [
    "FilesConnection",
    "appending",
    "connector",
    "lines",
    "planning",
    "streams",
    "tables",
    "texts",
    "tools",
]
