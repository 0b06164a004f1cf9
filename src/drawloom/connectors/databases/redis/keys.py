"""Values by key: get, set, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from drawloom.connectors.databases.redis.client import Command
from drawloom.connectors.databases.redis.connection import connector
from drawloom.connectors.databases.redis.values import Encoding, Key, Value, encoded, maybe
from drawloom.sdk import Json, TypedDict

if TYPE_CHECKING:
    from drawloom.connectors.databases.redis.client import Client


class Found(TypedDict):
    """The value, or null; `found` tells a stored null from none."""

    value: Json
    found: bool


class Deleted(TypedDict):
    """How many of the keys were there."""

    deleted: int


@connector.tool(effect="read")
async def get(client: Client, key: Key, encoding: Encoding = "text") -> Found:
    """Read the value of a key; null if there is none."""
    return await client.run(
        Command(
            ["GET", key],
            lambda kept: Found(value=maybe(kept, encoding, key), found=kept is not None),
        )
    )


@connector.tool(effect="idempotent")
async def set_(client: Client, key: Key, value: Value, encoding: Encoding = "text") -> None:
    """Set a key."""
    await client.run(Command(["SET", key, encoded(value, encoding)], lambda _: None))


@connector.tool(effect="idempotent")
async def delete(
    client: Client,
    keys: Annotated[list[str], Field(min_length=1, description="The keys.")],
) -> Deleted:
    """Delete keys; no error for those that are not there."""
    return await client.run(Command(["UNLINK", *keys], lambda n: Deleted(deleted=n)))
