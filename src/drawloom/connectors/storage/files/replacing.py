"""A file written whole while its rows come bit by bit: the disk is waited for in threads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from drawloom.connectors.storage.files.answers import WrittenRows
from drawloom.sdk import Stream
from drawloom.sdk.doors import Folder


async def written(
    folder: Folder, path: str, rows: Stream[Any], add: Callable[[Any, list[Any]], None]
) -> WrittenRows:
    """Replace a file; *add(file, some)* writes some rows, and is called once more with none.

    What goes wrong, at the source too, leaves the file as it was.
    """
    count = 0
    async with _replaced(folder, path) as file:
        async for some in rows.chunks():
            await asyncio.to_thread(add, file, some)
            count += len(some)
        await asyncio.to_thread(add, file, [])
        return {"path": path, "bytes": file.passed, "count": count}


@asynccontextmanager
async def _replaced(folder: Folder, path: str) -> AsyncIterator[Any]:
    replacing = folder.replace(path)
    file = await asyncio.to_thread(replacing.__enter__)
    try:
        yield file
    except BaseException as exc:
        await asyncio.to_thread(_undone, replacing, exc)
        raise
    else:
        await asyncio.to_thread(replacing.__exit__, None, None, None)


def _undone(replacing: Any, exc: BaseException) -> None:
    # Its own frames end here: a StopIteration or a cancellation does not cross a thread.
    try:
        replacing.__exit__(type(exc), exc, exc.__traceback__)
    except BaseException as again:
        if again is not exc:
            raise
