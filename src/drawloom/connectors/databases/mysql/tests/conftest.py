from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from drawloom.connectors.databases.mysql import connector
from drawloom.connectors.databases.mysql.client import Client
from drawloom.connectors.databases.mysql.connection import MysqlConnection
from drawloom.doors import Doors
from drawloom.errors import Failure
from drawloom.sdk import Context, name_fault
from drawloom.sdk.contract import call_checked


class Caller:
    """The tools of the connector, called as a chain calls them."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def __call__(self, tool: str, **arguments: Any) -> Any:
        found = connector.tools[f"mysql.{tool}"]
        if found.signature.context_name:
            arguments.setdefault("context", Context())
        return await call_checked(found, self.client, **arguments)

    async def rows(self, sql: str, *args: Any) -> Any:
        return (await self("query", sql=sql, args=list(args)))["rows"]

    async def value(self, sql: str, *args: Any) -> Any:
        """The one value that *sql* gives."""
        [row] = await self.rows(sql, *args)
        [value] = row.values()
        return value

    async def run(self, *statements: str) -> None:
        for sql in statements:
            await self("execute", sql=sql)

    async def failure(self, tool: str, **arguments: Any) -> Failure:
        with pytest.raises(Exception) as raised:
            await self(tool, **arguments)
        return name_fault(connector.faults, raised.value)


@pytest.fixture
def settings() -> dict[str, Any]:
    """Override by parametrising to change a setting of the connection."""
    return {}


@pytest.fixture(params=["asyncmy", "aiomysql"])
def driver(request: pytest.FixtureRequest) -> str:
    """Every test of a tool is run with both drivers."""
    pytest.importorskip(request.param)
    return str(request.param)


@pytest.fixture
async def db(
    mysql: dict[str, Any], driver: str, settings: dict[str, Any], tmp_path: Path
) -> AsyncIterator[Caller]:
    made = MysqlConnection(**{**mysql, "driver": driver, "max_connections": 2, **settings})
    async with made.open(Doors(tmp_path)) as client:
        yield Caller(client)


@pytest.fixture
async def shared(mysql_server: Any, driver: str, tmp_path: Path) -> AsyncIterator[Caller]:
    """No database of its own, for tests that leave nothing behind."""
    made = MysqlConnection(
        **mysql_server.settings("information_schema"), driver=driver, max_connections=1
    )
    async with made.open(Doors(tmp_path)) as client:
        yield Caller(client)
