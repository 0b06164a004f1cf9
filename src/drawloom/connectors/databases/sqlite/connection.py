"""Where the file is, and how patient to be with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from drawloom.connectors.databases.sqlite.faults import FAULTS
from drawloom.errors import ConnectionUnusable
from drawloom.sdk import Connection, Connector

if TYPE_CHECKING:
    from drawloom.connectors.databases.sqlite.database import Database
    from drawloom.connectors.databases.sqlite.glance import Glance
    from drawloom.sdk.doors import Doors


class SqliteConnection(Connection):
    """One SQLite file, opened by this connection and by nobody's SQL."""

    path: str = Field(
        min_length=1,
        description="The file. A relative path begins in the project's folder and stays in it.",
    )
    create: bool = Field(True, description="Make the file where there is none.")
    read_only: bool = Field(False, description="Refuse everything that writes.")
    timeout: float = Field(
        30.0, gt=0, le=86_400, description="Seconds that one tool call may work."
    )
    busy_timeout: float = Field(
        5.0, ge=0, le=3_600, description="Seconds to wait while another process writes."
    )
    readers: int = Field(4, ge=1, le=64, description="Queries that may run at the same time.")
    max_rows: int = Field(
        1_000_000, ge=1, description="A result of more rows is an error, unless `limit` is given."
    )

    @asynccontextmanager
    async def open(self, doors: Doors) -> AsyncIterator[Database]:
        """Open the file, off the event loop. Raises `ConnectionUnusable` where that fails."""
        from drawloom.connectors.databases.sqlite.database import Database

        path = _place(self.path, doors.root)
        database = await asyncio.to_thread(Database, self, path)
        try:
            yield database
        finally:
            await asyncio.to_thread(database.close)

    @asynccontextmanager
    async def look(self, doors: Doors) -> AsyncIterator[Glance]:
        """The file for planners: it is neither made nor changed, nor anything beside it."""
        from drawloom.connectors.databases.sqlite.glance import Glance

        glance = await asyncio.to_thread(Glance, _place(self.path, doors.root))
        try:
            yield glance
        finally:
            glance.close()

    async def check(self, client: Database) -> dict[str, Any]:
        """The library's version and the journal mode of the file."""
        import apsw

        mode = await client.read(lambda handle: handle.value("PRAGMA journal_mode"))
        return {"version": apsw.sqlite_lib_version(), "journal_mode": mode}


def _place(path: str, root: Path) -> Path:
    """The real path, links followed. A relative one may not leave *root*."""
    if path == ":memory:" or "\0" in path:
        raise ConnectionUnusable(
            f"path {path!r} is no file; a database in memory would end with its connection"
        )
    if Path(path).is_absolute():
        return Path(path).resolve()
    found = (root / path).resolve()
    if not found.is_relative_to(root.resolve()):
        raise ConnectionUnusable(
            f"path {path!r} leaves the project's folder; give an absolute path if that is meant"
        )
    return found


connector = Connector("sqlite", SqliteConnection, FAULTS)
