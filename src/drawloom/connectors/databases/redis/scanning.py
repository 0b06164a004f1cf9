"""SCAN, HSCAN, SSCAN, ZSCAN: a cursor, and what one step of it gives."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from drawloom.connectors.databases.redis.commands import Command, Word
from drawloom.sdk import Context

if TYPE_CHECKING:
    from drawloom.connectors.databases.redis.client import Client

Match = Annotated[
    str, Field(min_length=1, description="A pattern: * ? [a-z], and a backslash before these.")
]

_LEAST, _MOST = 100, 1_000  # what one step looks at; more would hold up the server for others


async def scanned(
    client: Client,
    command: Sequence[Word],
    match: str,
    context: Context,
    *,
    options: Sequence[Word] = (),
    width: int = 1,
) -> AsyncIterator[tuple[list[Any], list[Any]]]:
    """Items in lists of `context.batch` at most, each with the cursor behind it.

    *width* words make an item; one of more words is a tuple. A step may give more items than a
    batch, so the cursor is the server's before the step, how many of the step were given, and
    a checksum of the step: where the server gives another one, it is given from its beginning,
    for nothing may be missed that is there all the while.
    """
    at, given, check = context.after or ["0", 0, 0]
    count = min(max(context.batch, _LEAST), _MOST)
    while at:
        words = [*command, at, "MATCH", match, "COUNT", count, *options]
        position, flat = await client.run(Command(words, _position))
        items = flat if width == 1 else list(zip(flat[::2], flat[1::2], strict=True))
        found = zlib.crc32(b"\0".join(flat))
        given = given if found == check else 0
        while given < len(items):
            some = items[given : given + context.batch]
            given += len(some)
            yield some, [at, given, found] if given < len(items) else [position, 0, 0]
        at, given, check = position, 0, 0


def _position(reply: list[Any]) -> tuple[str, list[Any]]:
    """The cursor of the next step, the empty text behind the last; and the words of this one."""
    at = reply[0].decode()
    return "" if at == "0" else at, reply[1]
