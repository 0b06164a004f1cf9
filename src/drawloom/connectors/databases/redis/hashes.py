"""Hashes: named fields under one key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from drawloom.connectors.databases.redis.commands import Command, Word, one_command
from drawloom.connectors.databases.redis.connection import connector
from drawloom.connectors.databases.redis.notes import exactly_once, note_of
from drawloom.connectors.databases.redis.scanning import Match, scanned
from drawloom.connectors.databases.redis.strings import By, Counted
from drawloom.connectors.databases.redis.values import (
    Encoding,
    Key,
    decoded,
    maybe,
    name_of,
    pairs,
    whole,
    whole_of,
)
from drawloom.sdk import Chunk, Context, Json, TypedDict

if TYPE_CHECKING:
    from drawloom.connectors.databases.redis.client import Client

Field_ = Annotated[str, Field(description="The name of a field.")]
Names = Annotated[
    list[str], Field(min_length=1, max_length=10_000, description="The names of fields.")
]


class Added(TypedDict):
    """How many of the fields are new."""

    added: int


class Fields(TypedDict):
    """Fields and their values; null for one that is not there."""

    fields: dict[str, Json]


class AllFields(TypedDict):
    """Every field, and whether there is such a key."""

    fields: dict[str, Json]
    found: bool


class Removed(TypedDict):
    """How many of the fields were there."""

    deleted: int


class Entry(TypedDict):
    """One field."""

    field: str
    value: Json


@one_command(effect="idempotent")
def hash_set(
    key: Key,
    fields: Annotated[
        dict[str, Json],
        Field(min_length=1, max_length=10_000, description="Fields, and the value of each."),
    ],
    encoding: Encoding = "text",
) -> Command[Added]:
    """Set fields of a hash; others stay as they are."""
    words: list[Word] = ["HSET", key, *pairs(fields, encoding, "fields")]
    return Command(words, lambda count: Added(added=count))


@one_command(effect="read")
def hash_get(key: Key, fields: Names, encoding: Encoding = "text") -> Command[Fields]:
    """Read some fields of a hash; null for those that are not there."""

    def read(kept: list[bytes | None]) -> Fields:
        found = zip(fields, kept, strict=True)
        return Fields(fields={name: maybe(one, encoding, f"{key}.{name}") for name, one in found})

    return Command(["HMGET", key, *fields], read)


@one_command(effect="read")
def hash_get_all(key: Key, encoding: Encoding = "text") -> Command[AllFields]:
    """Read a whole hash.

    One of more fields than the connection's `max_items` is an error: `redis.hash_scan` reads
    it bit by bit.
    """

    def read(kept: dict[bytes, bytes]) -> AllFields:
        fields = {name_of(n): decoded(v, encoding, f"{key}.{n!r}") for n, v in kept.items()}
        return AllFields(fields=fields, found=bool(kept))

    return Command(["HGETALL", key], read, counts=[["HLEN", key]])


@one_command(effect="idempotent")
def hash_delete(key: Key, fields: Names) -> Command[Removed]:
    """Delete fields of a hash; no error for those that are not there."""
    return Command(["HDEL", key, *fields], lambda count: Removed(deleted=count))


@connector.tool(effect="keyed")
async def hash_incr(
    client: Client, context: Context, key: Key, field: Field_, by: By = 1
) -> Counted:
    """Add to the whole number of a field, exactly once; one that is not there counts as 0.

    A repeated call adds nothing, and gives the number that is there then. Where each number
    may be given out only once, use `redis.incr`.
    """
    note = note_of(context)
    return await exactly_once(
        client,
        note,
        [count_field(key, field, by).words, ["SET", note, ""]],
        Command(["HGET", key, field], lambda kept: Counted(value=whole_of(kept or b"0", key))),
    )


def count_field(key: Key, field: Field_, by: By = 1) -> Command[Counted]:
    """Add to the whole number of a field."""
    return Command(["HINCRBY", key, field, by], lambda reply: Counted(value=whole(reply)))


@connector.tool(effect="read")
async def hash_scan(
    client: Client, context: Context, key: Key, match: Match = "*", encoding: Encoding = "text"
) -> AsyncIterator[Chunk[Entry]]:
    """Read a hash of any size as a stream of its fields, for a `for_each`.

    `match` is a pattern for their names. A field may come twice; see `redis.scan`.
    """
    async for found, cursor in scanned(client, ["HSCAN", key], match, context, width=2):
        entries = [
            Entry(field=name_of(name), value=decoded(kept, encoding, f"{key}.{name!r}"))
            for name, kept in found
        ]
        yield Chunk(entries, cursor)
