"""Pub/Sub: messages to whoever listens at that moment."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from drawloom.connectors.databases.redis.client import good
from drawloom.connectors.databases.redis.commands import Command, Word, one_command
from drawloom.connectors.databases.redis.connection import connector
from drawloom.connectors.databases.redis.values import (
    Encoding,
    EncodingName,
    Value,
    decoded,
    encoded,
    name_of,
)
from drawloom.errors import invalid
from drawloom.sdk import Chunk, Context, Json, TypedDict

if TYPE_CHECKING:
    from redis.asyncio.connection import Connection

    from drawloom.connectors.databases.redis.client import Client

Channel = Annotated[str, Field(description="The name of a channel.")]


class Published(TypedDict):
    """How many listeners the server gave it to."""

    receivers: int


class Message(TypedDict):
    """One message, and the channel that it came by."""

    channel: str
    message: Json


@one_command(effect="once")
def publish(channel: Channel, message: Value, encoding: Encoding = "text") -> Command[Published]:
    """Send a message to all who listen to a channel now. Nobody keeps it for others.

    The server knows no key of a message, so that one sent twice is two: hence `once`.
    """
    words: list[Word] = ["PUBLISH", channel, encoded(message, encoding, "message")]
    return Command(words, lambda count: Published(receivers=count))


@connector.tool(effect="read")
async def subscribe(
    client: Client,
    context: Context,
    channels: Annotated[
        list[str], Field(min_length=1, max_length=1_000, description="Channels, or patterns.")
    ],
    patterns: Annotated[
        bool, Field(description="`channels` are patterns: * ? [a-z] (PSUBSCRIBE).")
    ] = False,
    count: Annotated[int | None, Field(ge=1, description="End after so many messages.")] = None,
    seconds: Annotated[
        float | None, Field(gt=0, le=86_400, description="End after so many seconds.")
    ] = None,
    encoding: Encoding = "text",
) -> AsyncIterator[Chunk[Message]]:
    """Listen to channels, as a stream of messages that ends by `count` or `seconds`, or both.

    It takes a connection of the pool. The server keeps no message: what is sent before it
    listens, or while a run that was killed is away, is not seen. What must not be lost belongs
    into a stream (`redis.stream_read_group`). A listener that is too slow is cut off by the
    server, which is an error.
    """
    if count is None and seconds is None:
        raise invalid("give count or seconds: a stream of messages has no end of its own")
    seen, ends = context.after or (0, None if seconds is None else time.time() + seconds)
    async with client.line() as line:
        words = ["PSUBSCRIBE" if patterns else "SUBSCRIBE", *channels]
        await _begin(client, line, words, len(channels))
        while count is None or seen < count:
            most = context.batch if count is None else min(context.batch, count - seen)
            some = await _messages(line, most, ends, encoding)
            if not some:
                break
            seen += len(some)
            yield Chunk(some, [seen, ends])
        await line.disconnect(nowait=True)  # messages may be on their way still


async def _begin(client: Client, line: Connection, words: Sequence[str], count: int) -> None:
    """Each channel is confirmed by a message of its own."""
    [first] = await client.ask(line, [words], pushed=True)
    good(first)
    for _ in range(count - 1):
        await line.read_response(push_request=True)


async def _messages(
    line: Connection, most: int, ends: float | None, encoding: EncodingName
) -> list[Message]:
    """Wait for one message, until *ends* (Unix time), and take those that are there with it."""
    found: list[Message] = []
    while len(found) < most and (not found or await line.can_read()):
        left = None if ends is None else ends - time.time()
        if left is not None and left <= 0:
            break
        reply = await _pushed(line, left)
        if reply is None:
            break
        *_, channel, message = reply
        found.append(
            Message(channel=name_of(channel), message=decoded(message, encoding, "message"))
        )
    return found


async def _pushed(line: Connection, seconds: float | None) -> Any:
    """The next message; None where none comes in time."""
    import math

    wait = math.inf if seconds is None else seconds
    return await line.read_response(timeout=wait, push_request=True)
