"""The folder that a `files` connection opens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from pydantic import Field

from drawloom.connectors.storage.files.faults import FAULTS
from drawloom.sdk import Connection, Connector
from drawloom.sdk.doors import Doors, Folder


class FilesConnection(Connection):
    """A folder. Nothing outside it can be reached, and no symbolic link is followed."""

    folder: Annotated[
        str, Field(min_length=1, description="The folder; relative to the project's root.")
    ]
    max_bytes: Annotated[
        int, Field(gt=0, description="The largest file that is read or written, in bytes.")
    ] = 64 * 1024 * 1024

    @asynccontextmanager
    async def open(self, doors: Doors) -> AsyncIterator[Folder]:
        """The folder itself. Raises `ConnectionUnusable` where it is not there."""
        yield await asyncio.to_thread(doors.folder, self.folder, max_bytes=self.max_bytes)

    async def check(self, client: Folder) -> dict[str, Any]:
        """List the folder's top level: it is there and can be read."""
        found = await asyncio.to_thread(lambda: sum(1 for _ in client.entries("*")))
        return {"folder": str(client.root), "files": found}


connector = Connector("files", FilesConnection, faults=FAULTS)
