from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from drawloom.connectors.databases.redis import connector
from drawloom.connectors.databases.redis.client import Client
from drawloom.connectors.databases.redis.connection import RedisConnection
from drawloom.doors import Doors
from drawloom.errors import Failure
from drawloom.sdk import Context, name_fault
from drawloom.sdk.contract import call_checked, read_checked


class Caller:
    """The tools of the connector, called as a chain calls them, on keys of the test's own."""

    def __init__(self, client: Client, prefix: str = "") -> None:
        self.client = client
        self.prefix = prefix
        self.calls = 0

    def key(self, name: str) -> str:
        return self.prefix + name

    async def __call__(self, tool: str, **arguments: Any) -> Any:
        made = connector.tools[f"redis.{tool}"]
        context = made.signature.context_name
        if context and context not in arguments:
            self.calls += 1
            arguments[context] = Context(key=f"{self.prefix}call-{self.calls}")
        return await call_checked(made, self.client, **arguments)

    async def twice(self, tool: str, **arguments: Any) -> Any:
        """What both of two calls give that the engine makes of one, after a crash."""
        self.calls += 1
        key = f"{self.prefix}call-{self.calls}"
        first, again = [await self(tool, **arguments, context=Context(key=key)) for _ in "12"]
        assert first == again
        return first

    async def chunks(self, tool: str, batch: int, **arguments: Any) -> list[list[Any]]:
        return await read_checked(
            connector.tools[f"redis.{tool}"], self.client, batch=batch, **arguments
        )

    async def failure(self, tool: str, **arguments: Any) -> Failure:
        with pytest.raises(Exception) as raised:
            await self(tool, **arguments)
        return name_fault(connector.faults, raised.value)


@pytest.fixture
def settings() -> dict[str, Any]:
    """Override by parametrising to change a setting of the connection."""
    return {}


@pytest.fixture
async def db(
    redis_server: Any, redis_prefix: str, settings: dict[str, Any], tmp_path: Path
) -> AsyncIterator[Caller]:
    made = RedisConnection(
        **{
            **redis_server.settings(),
            "max_connections": 2,
            "client_name": redis_prefix[-30:],
            **settings,
        }
    )
    async with made.open(Doors(tmp_path)) as client:
        yield Caller(client, redis_prefix)
