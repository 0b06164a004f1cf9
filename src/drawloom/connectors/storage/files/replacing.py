"""A file written whole while its rows come bit by bit: the disk is waited for in threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from drawloom.connectors.storage.files.answers import WrittenRows
from drawloom.sdk import Stream
from drawloom.sdk.blocking import in_thread
from drawloom.sdk.doors import Folder


async def written(
    folder: Folder, path: str, rows: Stream[Any], add: Callable[[Any, list[Any]], None]
) -> WrittenRows:
    """Replace a file; *add(file, some)* writes some rows, and is called once more with none.

    What goes wrong, at the source too, leaves the file as it was.
    """
    count = 0
    async with in_thread(folder.replace(path)) as file:
        async for some in rows.chunks():
            await asyncio.to_thread(add, file, some)
            count += len(some)
        await asyncio.to_thread(add, file, [])
        return {"path": path, "bytes": file.passed, "count": count}
