from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from drawloom.connectors.databases.sqlite import connector
from drawloom.connectors.databases.sqlite.connection import SqliteConnection
from drawloom.connectors.databases.sqlite.database import Database
from drawloom.doors import Doors
from drawloom.errors import Failure
from drawloom.sdk import name_fault
from drawloom.sdk.contract import call_checked


class Client:
    """The tools of the connector, called as a chain calls them."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def __call__(self, tool: str, **arguments: object) -> object:
        return await call_checked(connector.tools[f"sqlite.{tool}"], self.database, **arguments)

    async def rows(self, sql: str, args: object = None) -> object:
        return (await self("query", sql=sql, args=args))["rows"]  # type: ignore[index]

    async def failure(self, tool: str, **arguments: object) -> Failure:
        with pytest.raises(Exception) as raised:
            await self(tool, **arguments)
        return name_fault(connector.faults, raised.value)


@pytest.fixture
def settings() -> dict[str, object]:
    """Override by parametrising to change a setting of the connection."""
    return {}


@pytest.fixture
async def db(tmp_path: Path, settings: dict[str, object]) -> AsyncIterator[Client]:
    made = SqliteConnection(**{"path": "test.db", **settings})
    async with made.open(Doors(tmp_path)) as database:
        yield Client(database)
