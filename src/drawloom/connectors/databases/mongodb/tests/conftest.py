from __future__ import annotations

import gc
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from drawloom.connectors.databases.mongodb import connector
from drawloom.connectors.databases.mongodb.client import Client
from drawloom.connectors.databases.mongodb.connection import MongodbConnection
from drawloom.doors import Doors
from drawloom.errors import Failure
from drawloom.sdk import Context, Stream, name_fault
from drawloom.sdk.contract import call_checked, read_checked

# The driver leaves the socket of a connection that failed to the garbage collector, which
# would tell of it in another test.
LEAVES_SOCKETS = [
    pytest.mark.usefixtures("swept"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


class Caller:
    """The tools of the connector, called as a chain calls them."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def __call__(self, tool: str, idempotency: str = "", **arguments: Any) -> Any:
        found = connector.tools[f"mongodb.{tool}"]
        if name := found.signature.context_name:
            arguments[name] = Context(key=idempotency)
        return await call_checked(found, self.client, **arguments)

    async def read(self, tool: str, batch: int = 100, **arguments: Any) -> list[list[Any]]:
        """The chunks of a tool that streams."""
        return await read_checked(
            connector.tools[f"mongodb.{tool}"], self.client, batch=batch, **arguments
        )

    async def taking(self, tool: str, idempotency: str = "", **arguments: Any) -> Any:
        """Call a tool with an open stream in place of each list."""
        found = connector.tools[f"mongodb.{tool}"]
        given = {n: Stream.of(v) if n in found.stream_inputs else v for n, v in arguments.items()}
        if name := found.signature.context_name:
            given[name] = Context(key=idempotency)
        return await found.function(self.client, **given)

    async def all(self, collection: str = "t", **arguments: Any) -> Any:
        """Documents of a collection, in the order of their ids unless `sort` is given."""
        given = {"sort": {"_id": 1}, **arguments}
        return (await self("find", collection=collection, **given))["documents"]

    async def failure(self, tool: str, **arguments: Any) -> Failure:
        with pytest.raises(Exception) as raised:
            await self(tool, **arguments)
        return name_fault(connector.faults, raised.value)


@pytest.fixture
def swept() -> Iterator[None]:
    """What a test has left is collected before the next one begins."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def settings() -> dict[str, Any]:
    """Override by parametrising to change a setting of the connection."""
    return {}


@pytest.fixture
async def db(
    mongodb: dict[str, Any], settings: dict[str, Any], tmp_path: Path
) -> AsyncIterator[Caller]:
    made = MongodbConnection(**{**mongodb, "max_connections": 2, **settings})
    async with made.open(Doors(tmp_path)) as client:
        yield Caller(client)


@pytest.fixture
def raw(mongodb_server: Any, mongodb: dict[str, Any]) -> Iterator[Any]:
    """The test's database by the driver alone, for what is done behind the connector's back."""
    with mongodb_server.connect() as client:
        yield client[mongodb["database"]]
