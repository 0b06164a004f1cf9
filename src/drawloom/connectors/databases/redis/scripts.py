"""Lua, where the connection allows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from drawloom.connectors.databases.redis.commands import Command, Word
from drawloom.connectors.databases.redis.connection import connector
from drawloom.connectors.databases.redis.values import (
    Encoding,
    EncodingName,
    all_encoded,
    decoded,
    name_of,
    score_of,
    whole,
)
from drawloom.errors import Failure, FailureKind, ToolError
from drawloom.sdk import Json, TypedDict
from drawloom.sdk.planning import Touch

if TYPE_CHECKING:
    from drawloom.connectors.databases.redis.client import Client


class Returned(TypedDict):
    """What the script returned."""

    result: Json


@connector.tool(effect="once")
async def script(
    client: Client,
    code: Annotated[str, Field(min_length=1, description="Lua; its arguments are KEYS and ARGV.")],
    keys: Annotated[list[str], Field(description="The keys that it touches.")] = [],  # noqa: B006
    args: Annotated[list[Json], Field(description="Values, as `encoding` says.")] = [],  # noqa: B006
    encoding: Encoding = "text",
) -> Returned:
    """Run a Lua script at the server (EVAL), where the connection says `allow_scripts`.

    It is one atomic command. Values go in as KEYS and ARGV, and never into its text. What it
    does nobody can know, hence `once`.
    """
    _check_allowed(client)
    words: list[Word] = ["EVAL", code, len(keys), *keys, *all_encoded(args, encoding, "args")]
    return await client.run(
        Command(words, lambda reply: Returned(result=_returned(reply, encoding)))
    )


@script.plan
async def _plan(client: Client, keys: list[str], **_: Any) -> list[Touch]:
    _check_allowed(client)
    return [Touch("runs", f"a Lua script on {len(keys)} keys")]


def _check_allowed(client: Client) -> None:
    if not client.settings.allow_scripts:
        message = "scripts are not allowed; set allow_scripts = true on the connection"
        raise ToolError(Failure(FailureKind.DENIED, message, harmless=True))


def _returned(reply: Any, encoding: EncodingName) -> Json:
    """A reply of any shape. Errors inside it are raised."""
    match reply:
        case bytes():
            return decoded(reply, encoding, "the result")
        case bool() | None:
            return reply
        case int():
            return whole(reply)
        case float():
            return score_of(reply)
        case list():
            return [_returned(one, encoding) for one in reply]
        case dict():
            return {name_of(key): _returned(one, encoding) for key, one in reply.items()}
        case _:
            raise reply
