"""Sorted sets: members in the order of their scores."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from drawloom.connectors.databases.redis.commands import Command, Word, one_command
from drawloom.connectors.databases.redis.connection import connector
from drawloom.connectors.databases.redis.lists import part_of
from drawloom.connectors.databases.redis.notes import exactly_once, note_of
from drawloom.connectors.databases.redis.scanning import Match, scanned
from drawloom.connectors.databases.redis.values import (
    Encoding,
    EncodingName,
    Key,
    Keys,
    Score,
    Value,
    Values,
    all_decoded,
    all_encoded,
    decoded,
    encoded,
    score_of,
    score_word,
)
from drawloom.errors import invalid
from drawloom.sdk import Chunk, Context, Json, TypedDict

if TYPE_CHECKING:
    from drawloom.connectors.databases.redis.client import Client

Number = Annotated[
    float | Literal["Infinity", "-Infinity"],
    Field(description="A number that a double holds, or Infinity as a text."),
]
Limit = Annotated[int, Field(ge=1, le=100_000, description="Members at most.")]
Combining = Literal["union", "intersection"]
Condition = Literal["new", "known", "greater", "less"]
_OPTIONS = {"new": "NX", "known": "XX", "greater": "GT", "less": "LT"}


class Scored(TypedDict):
    """A member and its score."""

    member: Json
    score: Score


class Given(TypedDict):
    """A member and the score that it is to have."""

    member: Json
    score: Number


class Changed(TypedDict):
    """How many members are new, or have another score than before."""

    changed: int


class Ranged(TypedDict):
    """Members in their order. `more` says that `limit` cut it off."""

    members: list[Scored]
    more: bool


class NewScore(TypedDict):
    """The score that the member has now."""

    score: Score


class Place(TypedDict):
    """The place of a member, or null."""

    rank: int | None


class Scores(TypedDict):
    """A score, or null, for each member."""

    scores: list[Score | None]


class Named(TypedDict):
    """Members in their order. `more` says that `limit` cut it off."""

    members: list[Json]
    more: bool


class Popped(TypedDict):
    """What was taken out, in its order."""

    members: list[Scored]


class Removed(TypedDict):
    """How many of the members were there."""

    removed: int


class Size(TypedDict):
    """How many members there are."""

    count: int


@one_command(effect="idempotent")
def sorted_add(
    key: Key,
    members: Annotated[
        list[Given], Field(min_length=1, max_length=100_000, description="Members and scores.")
    ],
    only: Annotated[
        Condition | None,
        Field(
            description="Only `new` members (NX), only `known` ones (XX), or new ones and those"
            " whose score becomes `greater` (GT) or `less` (LT)."
        ),
    ] = None,
    encoding: Encoding = "text",
) -> Command[Changed]:
    """Add members to a sorted set, or give them other scores.

    Done twice it leaves what once leaves: each condition asks for a state that the first time
    brought about. To add to a score is `redis.sorted_incr`.
    """
    words: list[Word] = ["ZADD", key, *([_OPTIONS[only]] if only else []), "CH"]
    for at, given in enumerate(members):
        words.append(score_word(given["score"], f"members[{at}].score"))
        words.append(encoded(given["member"], encoding, f"members[{at}].member"))
    return Command(words, lambda count: Changed(changed=count))


@connector.tool(effect="keyed")
async def sorted_incr(
    client: Client,
    context: Context,
    key: Key,
    member: Value,
    by: Number = 1.0,
    encoding: Encoding = "text",
) -> NewScore:
    """Add to the score of a member, exactly once; one that is not there counts as 0."""
    note = note_of(context)
    name = encoded(member, encoding, "member")
    return await exactly_once(
        client,
        note,
        [
            add_score(key, member, by, encoding).words,
            # The note is the set of this member alone, with the score that it has in the key.
            ["ZADD", note, 0, name],
            ["ZINTERSTORE", note, 2, key, note, "WEIGHTS", 1, 0],
        ],
        Command(["ZSCORE", note, name], lambda score: NewScore(score=score_of(score))),
    )


def add_score(
    key: Key, member: Value, by: Number = 1.0, encoding: Encoding = "text"
) -> Command[NewScore]:
    """Add to the score of a member; one that is not there counts as 0."""
    words: list[Word] = ["ZINCRBY", key, score_word(by, "by")]
    words.append(encoded(member, encoding, "member"))
    return Command(words, lambda score: NewScore(score=score_of(score)))


@one_command(effect="read")
def sorted_range(
    key: Key,
    start: Annotated[int, Field(description="The first place, from 0; -1 is the last.")] = 0,
    stop: Annotated[int, Field(description="The last place, which is included.")] = -1,
    reverse: Annotated[bool, Field(description="Begin with the highest score.")] = False,
    encoding: Encoding = "text",
) -> Command[Ranged]:
    """Read members by their places in the order.

    More of them than the connection's `max_items` are an error: ask for a part.
    """
    return Command(
        ["ZRANGE", key, start, stop, *_reverse(reverse), "WITHSCORES"],
        lambda kept: Ranged(members=_scored(kept, encoding, key), more=False),
        counts=[["ZCARD", key]],
        total=lambda counts: part_of(counts[0], start, stop),
    )


@one_command(effect="read")
def sorted_range_by_score(
    key: Key,
    least: Number = "-Infinity",
    most: Number = "Infinity",
    without_least: Annotated[bool, Field(description="Leave out `least` itself.")] = False,
    without_most: Annotated[bool, Field(description="Leave out `most` itself.")] = False,
    reverse: Annotated[bool, Field(description="Begin with the highest score.")] = False,
    offset: Annotated[int, Field(ge=0, description="How many to pass over.")] = 0,
    limit: Limit = 1_000,
    encoding: Encoding = "text",
) -> Command[Ranged]:
    """Read members by their scores, between two that are included unless you say."""
    low = "(" * without_least + score_word(least, "least")
    high = "(" * without_most + score_word(most, "most")
    words = _between(key, low, high, "BYSCORE", reverse, offset, limit)

    def read(kept: list[Any]) -> Ranged:
        return Ranged(members=_scored(kept[:limit], encoding, key), more=len(kept) > limit)

    return Command([*words, "WITHSCORES"], read)


@one_command(effect="read")
def sorted_range_by_name(
    key: Key,
    least: Annotated[str | None, Field(description="The first member; null: no bound.")] = None,
    most: Annotated[str | None, Field(description="The last member; null: no bound.")] = None,
    without_least: Annotated[bool, Field(description="Leave out `least` itself.")] = False,
    without_most: Annotated[bool, Field(description="Leave out `most` itself.")] = False,
    reverse: Annotated[bool, Field(description="Begin with the last member.")] = False,
    offset: Annotated[int, Field(ge=0, description="How many to pass over.")] = 0,
    limit: Limit = 1_000,
    encoding: Encoding = "text",
) -> Command[Named]:
    """Read members in the order of their bytes (BYLEX), where all have one score."""
    low = "-" if least is None else "[("[without_least] + least
    high = "+" if most is None else "[("[without_most] + most

    def read(kept: list[bytes]) -> Named:
        return Named(members=all_decoded(kept[:limit], encoding, key), more=len(kept) > limit)

    return Command(_between(key, low, high, "BYLEX", reverse, offset, limit), read)


@one_command(effect="read")
def sorted_rank(
    key: Key,
    member: Value,
    reverse: Annotated[bool, Field(description="Count from the highest score.")] = False,
    encoding: Encoding = "text",
) -> Command[Place]:
    """Tell at which place a member stands, from 0; null where it is not there."""
    words: list[Word] = [
        "ZREVRANK" if reverse else "ZRANK",
        key,
        encoded(member, encoding, "member"),
    ]
    return Command(words, lambda rank: Place(rank=rank))


@one_command(effect="read")
def sorted_scores(key: Key, members: Values, encoding: Encoding = "text") -> Command[Scores]:
    """Read the scores of some members, in their order; null for one that is not there."""
    words: list[Word] = ["ZMSCORE", key, *all_encoded(members, encoding, "members")]

    def read(kept: list[float | None]) -> Scores:
        return Scores(scores=[None if score is None else score_of(score) for score in kept])

    return Command(words, read)


@connector.tool(effect="keyed")
async def sorted_pop(
    client: Client,
    context: Context,
    key: Key,
    end: Annotated[Literal["lowest", "highest"], Field(description="Which scores.")] = "lowest",
    count: Annotated[int, Field(ge=1, le=1_000, description="Members at most.")] = 1,
    encoding: Encoding = "text",
) -> Popped:
    """Take out the members with the lowest or highest scores, exactly once; none from an empty set.

    They are kept in the call's note, where a repeated call finds them.
    """
    note = note_of(context)
    reverse = end == "highest"
    take = "ZPOPMAX" if reverse else "ZPOPMIN"
    return await exactly_once(
        client,
        note,
        [["ZRANGESTORE", note, key, 0, count - 1, *_reverse(reverse)], [take, key, count]],
        Command(
            ["ZRANGE", note, 0, -1, *_reverse(reverse), "WITHSCORES"],
            lambda kept: Popped(members=_scored(kept, encoding, key)),
        ),
        undo=[["ZUNIONSTORE", key, 2, key, note, "AGGREGATE", "MAX"]],
    )


@one_command(effect="idempotent")
def sorted_remove(key: Key, members: Values, encoding: Encoding = "text") -> Command[Removed]:
    """Remove members from a sorted set; no error for those that are not there."""
    words: list[Word] = ["ZREM", key, *all_encoded(members, encoding, "members")]
    return Command(words, lambda count: Removed(removed=count))


@one_command(effect="read")
def sorted_count(
    key: Key, least: Number = "-Infinity", most: Number = "Infinity"
) -> Command[Size]:
    """Count the members whose scores lie between two, both included."""
    words: list[Word] = ["ZCOUNT", key, score_word(least, "least"), score_word(most, "most")]
    return Command(words, lambda count: Size(count=count))


@connector.tool(effect="read")
async def sorted_scan(
    client: Client, context: Context, key: Key, match: Match = "*", encoding: Encoding = "text"
) -> AsyncIterator[Chunk[Scored]]:
    """Read a sorted set of any size as a stream, in no order, for a `for_each`.

    `match` is a pattern for the members as they are kept. One may come twice; see `redis.scan`.
    """
    async for found, cursor in scanned(client, ["ZSCAN", key], match, context, width=2):
        yield Chunk(
            _scored([(name, float(score)) for name, score in found], encoding, key), cursor
        )


@one_command(effect="idempotent")
def sorted_combine_into(
    target: Key,
    how: Combining,
    keys: Keys,
    scores: Annotated[
        Literal["sum", "min", "max"], Field(description="What becomes of a member's scores.")
    ] = "sum",
    weights: Annotated[
        list[float] | None, Field(description="What the scores of each key are multiplied by.")
    ] = None,
) -> Command[Size]:
    """Make a key the union or the intersection of sorted sets, whatever it was.

    Plain sets count as sorted ones whose scores are 1. Done twice it leaves what the sets give
    then, so `target` cannot be one of `keys`, whose scores would be added again.
    """
    if target in keys:
        raise invalid("target is one of keys, and a second time would count its scores again")
    if weights is not None and len(weights) != len(keys):
        raise invalid(f"weights has {len(weights)} numbers for {len(keys)} keys")
    name = "ZUNIONSTORE" if how == "union" else "ZINTERSTORE"
    words: list[Word] = [name, target, len(keys), *keys]
    if weights is not None:
        words += ["WEIGHTS", *(score_word(w, f"weights[{at}]") for at, w in enumerate(weights))]
    words += ["AGGREGATE", scores]
    return Command(words, lambda count: Size(count=count))


def _between(
    key: str, low: str, high: str, order: str, reverse: bool, offset: int, limit: int
) -> list[Word]:
    """One more than *limit* is asked for, to know whether there are more."""
    ends = [high, low] if reverse else [low, high]
    return ["ZRANGE", key, *ends, order, *_reverse(reverse), "LIMIT", offset, limit + 1]


def _reverse(reverse: bool) -> list[Word]:
    return ["REV"] if reverse else []


def _scored(kept: list[Any], encoding: EncodingName, key: str) -> list[Scored]:
    return [
        Scored(member=decoded(member, encoding, key), score=score_of(score))
        for member, score in kept
    ]
