"""Streams: entries that stay, read by position or by groups of consumers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from drawloom.connectors.databases.redis.commands import Command, Word, one_command
from drawloom.connectors.databases.redis.connection import connector
from drawloom.connectors.databases.redis.values import (
    Encoding,
    EncodingName,
    Key,
    decoded,
    milliseconds,
    name_of,
    pairs,
)
from drawloom.errors import invalid
from drawloom.sdk import Chunk, Context, Json, TypedDict

if TYPE_CHECKING:
    from drawloom.connectors.databases.redis.client import Client

_ID = r"\d{1,20}(-\d{1,20})?"
Id = Annotated[
    str, Field(pattern=f"^{_ID}$", description="The id of an entry, as 1700000000000-0.")
]
Ids = Annotated[list[Id], Field(min_length=1, max_length=10_000, description="Ids of entries.")]
Group = Annotated[str, Field(description="The name of a group of consumers.")]
Count = Annotated[int, Field(ge=1, le=10_000, description="Entries at most.")]
Wait = Annotated[
    float | None, Field(ge=0.001, le=3_600, description="Seconds to wait for a first entry.")
]


class Entry(TypedDict):
    """One entry of a stream."""

    id: str
    fields: dict[str, Json]


class Entries(TypedDict):
    """Entries in their order."""

    entries: list[Entry]


class AddedEntry(TypedDict):
    """The id of the entry; null where there was no stream, and none was to be made."""

    id: str | None


class Created(TypedDict):
    """Whether the group is new."""

    created: bool


class Acknowledged(TypedDict):
    """How many of the entries were still pending."""

    acknowledged: int


class PendingEntry(TypedDict):
    """An entry that was given to a consumer, and not acknowledged."""

    id: str
    consumer: str
    idle: float
    deliveries: int


class Pending(TypedDict):
    """Pending entries in their order."""

    entries: list[PendingEntry]


class Claimed(TypedDict):
    """Entries that are the consumer's now, and where to go on; null where that is all."""

    entries: list[Entry]
    next: str | None


class Trimmed(TypedDict):
    """How many entries were dropped."""

    removed: int


class Size(TypedDict):
    """How many entries there are."""

    length: int


@one_command(effect="once")
def stream_add(
    key: Key,
    fields: Annotated[
        dict[str, Json],
        Field(min_length=1, max_length=10_000, description="Fields, and the value of each."),
    ],
    id: Annotated[
        str, Field(pattern=rf"^(\*|\d{{1,20}}-\*|{_ID})$", description="*: the server makes it.")
    ] = "*",
    create: Annotated[bool, Field(description="Make the stream if it is not there.")] = True,
    max_length: Annotated[
        int | None, Field(ge=0, description="Drop the oldest, so that about so many stay.")
    ] = None,
    encoding: Encoding = "text",
) -> Command[AddedEntry]:
    """Add an entry to a stream.

    An entry that is added twice is two, hence `once`; as an operation of
    `redis.transaction` it is added exactly once.
    """
    words: list[Word] = ["XADD", key, *([] if create else ["NOMKSTREAM"])]
    words += [] if max_length is None else ["MAXLEN", "~", max_length]
    words += [id, *pairs(fields, encoding, "fields")]
    return Command(words, lambda made: AddedEntry(id=None if made is None else made.decode()))


@one_command(effect="read")
def stream_range(
    key: Key,
    start: Annotated[Id | None, Field(description="The first id; null: no bound.")] = None,
    stop: Annotated[Id | None, Field(description="The last id; null: no bound.")] = None,
    reverse: Annotated[bool, Field(description="Begin with the newest.")] = False,
    count: Count = 100,
    encoding: Encoding = "text",
) -> Command[Entries]:
    """Read entries between two ids, both included."""
    low, high = start or "-", stop or "+"
    words: list[Word] = ["XREVRANGE", key, high, low] if reverse else ["XRANGE", key, low, high]
    return Command([*words, "COUNT", count], lambda kept: _entries(kept, encoding, key))


@connector.tool(effect="read")
async def stream_scan(
    client: Client, context: Context, key: Key, encoding: Encoding = "text"
) -> AsyncIterator[Chunk[Entry]]:
    """Read all entries of a stream, of any size, in their order, for a `for_each`.

    The cursor is the id of the last entry: a run goes on behind it, and nothing comes twice.
    """
    after = context.after or "-"
    while True:
        words: list[Word] = ["XRANGE", key, after, "+", "COUNT", context.batch]
        read = await client.run(Command(words, lambda kept: _entries(kept, encoding, key)))
        if not (found := read["entries"]):
            return
        after = f"({found[-1]['id']}"
        yield Chunk(found, after)


@one_command(effect="read")
def stream_read(
    key: Key,
    after: Annotated[
        str, Field(pattern=rf"^(\$|{_ID})$", description="The id to read behind; $: from now on.")
    ] = "0",
    count: Count = 100,
    seconds: Wait = None,
    encoding: Encoding = "text",
) -> Command[Entries]:
    """Read the entries behind an id, and wait for the first where there is none yet.

    Waiting takes a connection of the pool.
    """
    words: list[Word] = ["XREAD", "COUNT", count, *_block(seconds), "STREAMS", key, after]
    return Command(words, lambda reply: _of_one(reply, encoding, key), wait=seconds or 0.0)


@one_command(effect="read")
def stream_length(key: Key) -> Command[Size]:
    """Count the entries of a stream."""
    return Command(["XLEN", key], lambda length: Size(length=length))


@one_command(effect="idempotent")
def stream_trim(
    key: Key,
    max_length: Annotated[int, Field(ge=0, description="How many stay.")],
) -> Command[Trimmed]:
    """Drop the oldest entries of a stream, so that no more than some stay."""
    words: list[Word] = ["XTRIM", key, "MAXLEN", "=", max_length]
    return Command(words, lambda count: Trimmed(removed=count))


@one_command(effect="idempotent")
def stream_create_group(
    key: Key,
    group: Group,
    after: Annotated[
        str,
        Field(pattern=rf"^(\$|{_ID})$", description="It begins behind this id; $: from now on."),
    ] = "0",
) -> Command[Created]:
    """Make a group of consumers, and the stream if it is not there; one that is there stays."""
    words: list[Word] = ["XGROUP", "CREATE", key, group, after, "MKSTREAM"]
    return Command(words, lambda reply: Created(created=reply == b"OK"), accepts="BUSYGROUP")


@connector.tool(effect="idempotent")
async def stream_read_group(
    client: Client,
    key: Key,
    group: Group,
    consumer: Annotated[str, Field(description="Who reads. Let no two steps at once be one.")],
    count: Count = 100,
    seconds: Wait = None,
    encoding: Encoding = "text",
) -> Entries:
    """Take the next entries of a group for a consumer, who has to acknowledge them.

    What the consumer has taken and not acknowledged comes first, so that a call that is made
    again gives the same entries: hence `idempotent`. `redis.stream_ack` ends that. Waiting
    takes a connection of the pool.
    """
    taken = await client.run(_of_group(key, group, consumer, count, None, "0", encoding))
    if taken["entries"]:
        return taken
    return await client.run(_of_group(key, group, consumer, count, seconds, ">", encoding))


@one_command(effect="idempotent")
def stream_ack(key: Key, group: Group, ids: Ids) -> Command[Acknowledged]:
    """Say that entries of a group are done with."""
    words: list[Word] = ["XACK", key, group, *ids]
    return Command(words, lambda count: Acknowledged(acknowledged=count))


@one_command(effect="read")
def stream_pending(
    key: Key,
    group: Group,
    consumer: Annotated[str | None, Field(description="Only those of this consumer.")] = None,
    idle: Annotated[
        float | None, Field(ge=0.001, description="Only those taken so many seconds ago.")
    ] = None,
    count: Count = 100,
) -> Command[Pending]:
    """Tell which entries of a group were taken and not acknowledged; idle times in seconds."""
    words: list[Word] = ["XPENDING", key, group]
    words += [] if idle is None else ["IDLE", milliseconds(idle)]
    words += ["-", "+", count, *([] if consumer is None else [consumer])]
    return Command(words, lambda found: Pending(entries=[_pending(*one) for one in found]))


@one_command(effect="idempotent")
def stream_claim(
    key: Key,
    group: Group,
    consumer: Annotated[str, Field(description="Whose they become.")],
    idle: Annotated[float, Field(ge=0.001, description="Only those taken so many seconds ago.")],
    start: Annotated[Id, Field(description="Look from this id on.")] = "0-0",
    count: Count = 100,
    encoding: Encoding = "text",
) -> Command[Claimed]:
    """Give a consumer the entries that others took long ago and never acknowledged.

    Done twice, they are still the consumer's: `redis.stream_read_group` gives them.
    """
    words: list[Word] = ["XAUTOCLAIM", key, group, consumer, milliseconds(idle), start]

    def read(reply: list[Any]) -> Claimed:
        following = reply[0].decode()
        found = [one for one in reply[1] if one is not None]
        return Claimed(
            entries=_entries(found, encoding, key)["entries"],
            next=None if following == "0-0" else following,
        )

    return Command([*words, "COUNT", count], read)


def _of_group(
    key: str,
    group: str,
    consumer: str,
    count: int,
    seconds: float | None,
    after: str,
    encoding: EncodingName,
) -> Command[Entries]:
    words: list[Word] = ["XREADGROUP", "GROUP", group, consumer, "COUNT", count]
    words += [*_block(seconds), "STREAMS", key, after]
    return Command(words, lambda reply: _of_one(reply, encoding, key), wait=seconds or 0.0)


def _block(seconds: float | None) -> list[Word]:
    return [] if seconds is None else ["BLOCK", milliseconds(seconds)]


def _of_one(reply: Mapping[bytes, list[Any]] | None, encoding: EncodingName, key: str) -> Entries:
    """The entries of the one stream that was asked for."""
    return _entries([] if reply is None else next(iter(reply.values())), encoding, key)


def _entries(kept: list[Any], encoding: EncodingName, key: str) -> Entries:
    return Entries(entries=[_entry(id_.decode(), flat, encoding, key) for id_, flat in kept])


def _entry(id_: str, flat: list[bytes] | None, encoding: EncodingName, key: str) -> Entry:
    """One that was deleted after it was taken has no fields any more."""
    flat = flat or []
    where = f"{key}, entry {id_}"
    names = [name_of(name) for name in flat[::2]]
    values = [decoded(value, encoding, where) for value in flat[1::2]]
    fields = dict(zip(names, values, strict=True))
    if len(fields) < len(names):
        raise invalid(f"{where} has two fields of one name, and an object cannot hold them")
    return Entry(id=id_, fields=fields)


def _pending(id_: bytes, consumer: bytes, idle: int, deliveries: int) -> PendingEntry:
    return PendingEntry(
        id=id_.decode(), consumer=name_of(consumer), idle=idle / 1_000, deliveries=deliveries
    )
