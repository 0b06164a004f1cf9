"""Sets: each member is there once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Literal

from drawloom.connectors.databases.redis.commands import Command, Word, one_command
from drawloom.connectors.databases.redis.connection import connector
from drawloom.connectors.databases.redis.scanning import Match, scanned
from drawloom.connectors.databases.redis.values import (
    Encoding,
    Key,
    Keys,
    Values,
    all_decoded,
    all_encoded,
)
from drawloom.errors import invalid
from drawloom.sdk import Chunk, Context, Json, TypedDict

if TYPE_CHECKING:
    from drawloom.connectors.databases.redis.client import Client

Combining = Literal["union", "intersection", "difference"]
_READ = {"union": "SUNION", "intersection": "SINTER", "difference": "SDIFF"}
_STORED = {"union": "SUNIONSTORE", "intersection": "SINTERSTORE", "difference": "SDIFFSTORE"}


class Added(TypedDict):
    """How many of the members are new."""

    added: int


class Removed(TypedDict):
    """How many of the members were there."""

    removed: int


class Members(TypedDict):
    """Members, in no order."""

    members: list[Json]


class Size(TypedDict):
    """How many members there are."""

    count: int


class Contained(TypedDict):
    """For each value, in order, whether it is a member."""

    contains: list[bool]


@one_command(effect="idempotent")
def set_add(key: Key, members: Values, encoding: Encoding = "text") -> Command[Added]:
    """Add members to a set."""
    words: list[Word] = ["SADD", key, *all_encoded(members, encoding, "members")]
    return Command(words, lambda count: Added(added=count))


@one_command(effect="idempotent")
def set_remove(key: Key, members: Values, encoding: Encoding = "text") -> Command[Removed]:
    """Remove members from a set; no error for those that are not there."""
    words: list[Word] = ["SREM", key, *all_encoded(members, encoding, "members")]
    return Command(words, lambda count: Removed(removed=count))


@one_command(effect="read")
def set_contains(key: Key, members: Values, encoding: Encoding = "text") -> Command[Contained]:
    """Tell for each of some values whether it is a member of a set."""
    words: list[Word] = ["SMISMEMBER", key, *all_encoded(members, encoding, "members")]
    return Command(words, lambda flags: Contained(contains=[flag == 1 for flag in flags]))


@one_command(effect="read")
def set_size(key: Key) -> Command[Size]:
    """Count the members of a set."""
    return Command(["SCARD", key], lambda count: Size(count=count))


@one_command(effect="read")
def set_members(key: Key, encoding: Encoding = "text") -> Command[Members]:
    """Read all members of a set.

    More of them than the connection's `max_items` are an error: `redis.set_scan` reads them
    bit by bit.
    """
    return Command(
        ["SMEMBERS", key],
        lambda kept: Members(members=all_decoded(kept, encoding, key)),
        counts=[["SCARD", key]],
    )


@connector.tool(effect="read")
async def set_scan(
    client: Client, context: Context, key: Key, match: Match = "*", encoding: Encoding = "text"
) -> AsyncIterator[Chunk[Json]]:
    """Read a set of any size as a stream of its members, for a `for_each`.

    `match` is a pattern for the members as they are kept. One may come twice; see `redis.scan`.
    """
    async for found, cursor in scanned(client, ["SSCAN", key], match, context):
        yield Chunk(all_decoded(found, encoding, key), cursor)


@one_command(effect="read")
def set_combine(how: Combining, keys: Keys, encoding: Encoding = "text") -> Command[Members]:
    """Read the union, the intersection or the difference of sets (the first less the others).

    Where there may be more members than the connection's `max_items`, it is an error:
    `redis.set_combine_into` keeps them at the server, and `redis.set_scan` reads them there.
    """
    return Command(
        [_READ[how], *keys],
        lambda kept: Members(members=all_decoded(kept, encoding, "one of the sets")),
        counts=[["SCARD", key] for key in (keys[:1] if how == "difference" else keys)],
        total=min if how == "intersection" else sum,
    )


@one_command(effect="idempotent")
def set_combine_into(target: Key, how: Combining, keys: Keys) -> Command[Size]:
    """Make a key the union, the intersection or the difference of sets, whatever it was.

    Done twice it leaves what the sets give then, so `target` cannot be one that is taken away.
    """
    if how == "difference" and target in keys[1:]:
        raise invalid("target is one of the keys that are taken away: a second time would differ")
    return Command([_STORED[how], target, *keys], lambda count: Size(count=count))
