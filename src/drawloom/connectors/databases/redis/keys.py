"""Keys, whatever they hold: delete, find, and the time that they expire."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Literal

from drawloom.connectors.databases.redis.commands import Command, Word, one_command
from drawloom.connectors.databases.redis.connection import connector
from drawloom.connectors.databases.redis.scanning import Match, scanned
from drawloom.connectors.databases.redis.values import (
    Instant,
    Key,
    Keys,
    Seconds,
    instant_ms,
    milliseconds,
    name_of,
)
from drawloom.sdk import Chunk, Context, TypedDict

if TYPE_CHECKING:
    from drawloom.connectors.databases.redis.client import Client

TypeName = Literal["string", "hash", "list", "set", "zset", "stream"]


class Deleted(TypedDict):
    """How many were there."""

    deleted: int


class Counted(TypedDict):
    """How many of the keys are there; one that is named twice counts twice."""

    count: int


class Changed(TypedDict):
    """Whether there was such a key, and its time was changed."""

    changed: bool


class Life(TypedDict):
    """Seconds that a key has left; null where it never expires, or is not there."""

    seconds: float | None
    found: bool


@one_command(effect="idempotent")
def delete(keys: Keys) -> Command[Deleted]:
    """Delete keys, whatever they hold; no error for those that are not there."""
    return Command(["UNLINK", *keys], lambda count: Deleted(deleted=count))


@one_command(effect="read")
def exists(keys: Keys) -> Command[Counted]:
    """Count the keys that are there."""
    return Command(["EXISTS", *keys], lambda count: Counted(count=count))


@one_command(effect="idempotent")
def expire(key: Key, seconds: Seconds) -> Command[Changed]:
    """Have a key deleted after some seconds, to the millisecond.

    A repeated call counts from then.
    """
    return Command(["PEXPIRE", key, milliseconds(seconds)], _changed)


@one_command(effect="idempotent")
def expire_at(key: Key, at: Instant) -> Command[Changed]:
    """Have a key deleted at an instant; one that has passed deletes it now."""
    return Command(["PEXPIREAT", key, instant_ms(at, "at")], _changed)


@one_command(effect="idempotent")
def persist(key: Key) -> Command[Changed]:
    """Have a key never expire."""
    return Command(["PERSIST", key], _changed)


@one_command(effect="read")
def ttl(key: Key) -> Command[Life]:
    """Tell how many seconds a key has left."""
    return Command(["PTTL", key], _life)


@connector.tool(effect="read")
async def scan(
    client: Client, context: Context, match: Match = "*", type: TypeName | None = None
) -> AsyncIterator[Chunk[str]]:
    """Find keys by a pattern, as a stream of their names, for a `for_each`.

    The server's SCAN: a key that is there all the while comes at least once. One may come
    twice (the server moves its table while it grows or shrinks, and a run that goes on after
    a crash asks again from the last cursor); one that comes or goes meanwhile may be missed.
    """
    words: list[Word] = [] if type is None else ["TYPE", type]
    async for names, cursor in scanned(client, ["SCAN"], match, context, options=words):
        yield Chunk([name_of(name) for name in names], cursor)


def _changed(reply: int) -> Changed:
    return Changed(changed=reply == 1)


def _life(reply: int) -> Life:
    """-2: there is no such key; -1: it never expires."""
    return Life(seconds=reply / 1_000 if reply >= 0 else None, found=reply != -2)
