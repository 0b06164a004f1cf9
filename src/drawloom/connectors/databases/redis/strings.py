"""Values by key: get, set, count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from drawloom.connectors.databases.redis.commands import Command, Word, one_command
from drawloom.connectors.databases.redis.connection import connector
from drawloom.connectors.databases.redis.notes import exactly_once, note_of
from drawloom.connectors.databases.redis.values import (
    Encoding,
    EncodingName,
    Instant,
    Key,
    Keys,
    Seconds,
    Value,
    Whole,
    all_decoded,
    encoded,
    instant_ms,
    maybe,
    milliseconds,
    pairs,
    whole,
    whole_of,
)
from drawloom.errors import invalid
from drawloom.sdk import Context, Json, TypedDict

if TYPE_CHECKING:
    from drawloom.connectors.databases.redis.client import Client

By = Annotated[int, Field(ge=-(2**53 - 1), le=2**53 - 1, description="How much.")]


class Found(TypedDict):
    """The value, or null; `found` tells a stored null from none."""

    value: Json
    found: bool


class Many(TypedDict):
    """The values in the order of the keys; null where there is none."""

    values: list[Json]


class WasSet(TypedDict):
    """Whether the key was set."""

    set: bool


class Counted(TypedDict):
    """The number that is kept now; a decimal string beyond 2^53-1."""

    value: Whole


@one_command(effect="read")
def get(key: Key, encoding: Encoding = "text") -> Command[Found]:
    """Read the value of a key; null if there is none."""
    return Command(["GET", key], lambda kept: _found(kept, encoding, key))


@one_command(effect="read")
def mget(keys: Keys, encoding: Encoding = "text") -> Command[Many]:
    """Read the values of several keys at once; null for a key that is not there, or is no value.

    They are of one moment: no other command comes between them.
    """
    return Command(
        ["MGET", *keys], lambda kept: Many(values=all_decoded(kept, encoding, "one of the keys"))
    )


@one_command(effect="idempotent")
def set_(
    key: Key,
    value: Value,
    encoding: Encoding = "text",
    only_if_present: Annotated[
        bool, Field(description="Set it only if the key is there (XX).")
    ] = False,
    expire: Annotated[Seconds | None, Field(description="Seconds until it is deleted.")] = None,
    expire_at: Annotated[Instant | None, Field(description="When it is deleted.")] = None,
    keep_ttl: Annotated[bool, Field(description="Leave the time it expires as it is.")] = False,
) -> Command[WasSet]:
    """Set a key to a value, whatever it was; it no longer expires, unless you say.

    Done twice it leaves what once leaves, but for an `expire` that counts from the second
    time. What depends on the value before is another tool: `redis.set_if_absent` and
    `redis.exchange`.
    """
    words: list[Word] = ["SET", key, encoded(value, encoding)]
    words += ["XX"] if only_if_present else []
    words += _expiry(expire, expire_at, keep_ttl)
    return Command(words, lambda reply: WasSet(set=reply is not None))


@one_command(effect="idempotent")
def mset(
    values: Annotated[
        dict[str, Json],
        Field(min_length=1, max_length=10_000, description="Keys, and the value of each."),
    ],
    encoding: Encoding = "text",
) -> Command[None]:
    """Set several keys at once: nobody sees some of them set and others not."""
    return Command(["MSET", *pairs(values, encoding, "values")], lambda _: None)


@connector.tool(effect="keyed")
async def set_if_absent(
    client: Client,
    context: Context,
    key: Key,
    value: Value,
    encoding: Encoding = "text",
    expire: Annotated[Seconds | None, Field(description="Seconds until it is deleted.")] = None,
) -> WasSet:
    """Set a key unless it is there (NX), and say whether this call has set it.

    A repeated call gives the first one's answer: who has set it is not told that another was
    first.
    """
    note = note_of(context)
    words: list[Word] = ["SET", key, encoded(value, encoding), "NX"]
    words += _expiry(expire, None, False)
    return await exactly_once(
        client,
        note,
        _keeping(note, key, words),
        # A list or a hash was there, if the note is one.
        Command(["GET", note], lambda old: WasSet(set=old == _absent(note)), accepts="WRONGTYPE"),
    )


@connector.tool(effect="keyed")
async def exchange(
    client: Client, context: Context, key: Key, value: Value, encoding: Encoding = "text"
) -> Found:
    """Set a key, and give the value that it had before (SET with GET), exactly once."""
    note = note_of(context)
    return await exactly_once(
        client,
        note,
        _keeping(note, key, ["SET", key, encoded(value, encoding), "GET"]),
        Command(
            ["GET", note],
            lambda old: _found(None if old == _absent(note) else old, encoding, key),
        ),
    )


@connector.tool(effect="keyed")
async def incr(client: Client, context: Context, key: Key, by: By = 1) -> Counted:
    """Add to the whole number of a key, exactly once; a key that is not there counts as 0.

    A repeated call gives the number that the first one has made, so that numbers that are
    given out are given once.
    """
    return await _counted(client, context, key, by)


@connector.tool(effect="keyed")
async def decr(client: Client, context: Context, key: Key, by: By = 1) -> Counted:
    """Take from the whole number of a key, exactly once; as `redis.incr` otherwise."""
    return await _counted(client, context, key, -by)


async def _counted(client: Client, context: Context, key: str, by: int) -> Counted:
    note = note_of(context)
    return await exactly_once(
        client,
        note,
        [count_by(key, by).words, ["COPY", key, note]],
        Command(["GET", note], lambda kept: Counted(value=whole_of(kept, key))),
    )


def count_by(key: Key, by: By = 1) -> Command[Counted]:
    """Add to the whole number of a key."""
    return Command(["INCRBY", key, by], lambda reply: Counted(value=whole(reply)))


def _keeping(note: str, key: str, words: list[Word]) -> list[list[Word]]:
    """The command *words*, and a note of what *key* was before it, or that it was not there."""
    return [["COPY", key, note], words, ["SET", note, _absent(note), "NX"]]


def _absent(note: str) -> bytes:
    """What a note holds where there was nothing. It is like no value: it holds a call's key."""
    return f"absent:{note}".encode()


def _found(kept: bytes | None, encoding: EncodingName, key: str) -> Found:
    return Found(value=maybe(kept, encoding, key), found=kept is not None)


def _expiry(expire: float | None, expire_at: str | None, keep_ttl: bool) -> list[Word]:
    if (expire is not None) + (expire_at is not None) + keep_ttl > 1:
        raise invalid("expire, expire_at and keep_ttl exclude each other; give one of them")
    if expire is not None:
        return ["PX", milliseconds(expire)]
    if expire_at is not None:
        return ["PXAT", instant_ms(expire_at, "expire_at")]
    return ["KEEPTTL"] if keep_ttl else []
