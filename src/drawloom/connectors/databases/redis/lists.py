"""Lists: put in and taken out at either end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from drawloom.connectors.databases.redis.client import good
from drawloom.connectors.databases.redis.commands import Command, Word, one_command
from drawloom.connectors.databases.redis.connection import connector
from drawloom.connectors.databases.redis.notes import exactly_once, note_of, taking_back
from drawloom.connectors.databases.redis.values import (
    Encoding,
    EncodingName,
    Key,
    Values,
    all_decoded,
    all_encoded,
    decoded,
    milliseconds,
)
from drawloom.sdk import Context, Json, TypedDict

if TYPE_CHECKING:
    from drawloom.connectors.databases.redis.client import Client

End = Literal["left", "right"]
Count = Annotated[int, Field(ge=1, le=1_000, description="Values at most.")]
Index = Annotated[int, Field(ge=-(2**53 - 1), le=2**53 - 1)]


class Length(TypedDict):
    """How many values the list has now."""

    length: int


class Taken(TypedDict):
    """What was taken out, in the order in which it was."""

    values: list[Json]


class Ranged(TypedDict):
    """Values in the order of the list."""

    values: list[Json]


class Moved(TypedDict):
    """The value that was moved, or null; `found` tells whether there was one."""

    value: Json
    found: bool


@connector.tool(effect="keyed")
async def list_push(
    client: Client,
    context: Context,
    key: Key,
    values: Values,
    end: End = "right",
    encoding: Encoding = "text",
) -> Length:
    """Add values at an end of a list, exactly once. With `right` they stand in their order.

    A repeated call adds nothing, and gives the length that the list has then.
    """
    note = note_of(context)
    push = push_values(key, values, end, encoding)
    return await exactly_once(
        client, note, [push.words, ["SET", note, ""]], Command(["LLEN", key], push.read)
    )


def push_values(
    key: Key, values: Values, end: End = "right", encoding: Encoding = "text"
) -> Command[Length]:
    """Add values at an end of a list. With `right` they stand in their order."""
    words: list[Word] = [
        "RPUSH" if end == "right" else "LPUSH",
        key,
        *all_encoded(values, encoding, "values"),
    ]
    return Command(words, lambda length: Length(length=length))


@connector.tool(effect="keyed")
async def list_pop(
    client: Client,
    context: Context,
    key: Key,
    end: End = "left",
    count: Count = 1,
    encoding: Encoding = "text",
) -> Taken:
    """Take values out of a list; none where it is empty. None is lost in a crash.

    They are moved into the call's note, where a repeated call finds them.
    """
    note = note_of(context)
    return await exactly_once(
        client,
        note,
        [["LMOVE", key, note, end, "RIGHT"]] * count,
        Command(["LRANGE", note, 0, -1], lambda kept: _taken(kept, encoding, key)),
        # A value that is no text, for example, goes back to where it was.
        undo=[["LMOVE", note, key, "RIGHT", end]] * count,
    )


@connector.tool(effect="keyed")
async def list_wait_pop(
    client: Client,
    context: Context,
    key: Key,
    seconds: Annotated[float, Field(ge=0.001, le=3_600, description="How long to wait.")],
    end: End = "left",
    encoding: Encoding = "text",
) -> Taken:
    """Take one value out of a list, and wait for it where the list is empty; then none.

    The wait takes a connection of the pool. It ends at the step's `timeout` too, if that
    comes first. As with `redis.list_pop`, nothing is lost in a crash or at that moment.
    """
    note = note_of(context)
    async with client.line() as line:
        [kept] = await client.ask(line, [["LRANGE", note, 0, -1]])
        taken = list(good(kept))
        if not taken:
            wait = f"{milliseconds(seconds) / 1_000:.3f}"
            blocking = ["BLMOVE", key, note, end, "RIGHT", wait]
            [moved] = await client.ask(line, [blocking], seconds)
            taken = [moved] if good(moved) is not None else []
        await client.ask(line, [["EXPIRE", note, client.settings.note_seconds]])
        back = [["LMOVE", note, key, "RIGHT", end], ["UNLINK", note]]
        async with taking_back(client, line, back):
            return _taken(taken, encoding, key)


@one_command(effect="read")
def list_range(
    key: Key, start: Index = 0, stop: Index = -1, encoding: Encoding = "text"
) -> Command[Ranged]:
    """Read a part of a list, from one place to another, both included; -1 is the last.

    More values than the connection's `max_items` are an error: ask for a part.
    """
    return Command(
        ["LRANGE", key, start, stop],
        lambda kept: Ranged(values=all_decoded(kept, encoding, key)),
        counts=[["LLEN", key]],
        total=lambda counts: part_of(counts[0], start, stop),
    )


@one_command(effect="read")
def list_length(key: Key) -> Command[Length]:
    """Tell how many values a list has; 0 where there is none."""
    return Command(["LLEN", key], lambda length: Length(length=length))


@one_command(effect="once")
def list_trim(key: Key, start: Index, stop: Index) -> Command[None]:
    """Keep a part of a list, both ends included, and drop the rest; -1 is the last.

    Done twice, it cuts twice, unless the part begins at 0: hence `once`.
    """
    return Command(["LTRIM", key, start, stop], lambda _: None)


@connector.tool(effect="keyed")
async def list_move(
    client: Client,
    context: Context,
    source: Key,
    target: Key,
    take: End = "left",
    put: End = "right",
    encoding: Encoding = "text",
) -> Moved:
    """Take a value out of one list and put it into another, exactly once.

    Both may be the same list, which then turns. A repeated call moves nothing, and gives
    the value that the first one moved.
    """
    note = note_of(context)
    passing = f"{note}:passing"
    return await exactly_once(
        client,
        note,
        [
            ["LMOVE", source, note, take, "RIGHT"],
            ["COPY", note, passing, "REPLACE"],
            ["LMOVE", passing, target, "LEFT", put],
        ],
        Command(["LINDEX", note, 0], lambda kept: _moved(kept, encoding, source)),
        # The target may hold something that is no list.
        undo=[["LMOVE", note, source, "RIGHT", take], ["UNLINK", passing]],
    )


def part_of(length: int, start: int, stop: int) -> int:
    """How many of *length* items there are from one place to another; negative: from the end."""
    first, last = (at + length if at < 0 else at for at in (start, stop))
    return max(0, min(last, length - 1) - max(first, 0) + 1)


def pop_values(
    key: Key, end: End = "left", count: Count = 1, encoding: Encoding = "text"
) -> Command[Taken]:
    """Take values out of a list; none where it is empty."""
    words: list[Word] = ["LPOP" if end == "left" else "RPOP", key, count]
    return Command(words, lambda kept: _taken(kept or [], encoding, key))


def _taken(kept: list[bytes], encoding: EncodingName, key: str) -> Taken:
    return Taken(values=all_decoded(kept, encoding, key))


def _moved(kept: bytes | None, encoding: EncodingName, key: str) -> Moved:
    found = kept is not None
    return Moved(value=decoded(kept, encoding, key) if kept is not None else None, found=found)
