"""A server that falls silent: each statement has its deadline, and its connection ends."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from drawloom.connectors.databases.mysql import client, connector
from drawloom.connectors.databases.mysql.connection import MysqlConnection
from drawloom.connectors.databases.mysql.patience import Patience
from drawloom.doors import Doors
from drawloom.errors import FailureKind
from drawloom.sdk import name_fault
from drawloom.sdk.contract import call_checked

QUERY = connector.tools["mysql.query"]


class Wall:
    """What stands between client and server, and lets nothing back once it is silent."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.silent = False
        self.serving: list[asyncio.Task[Any]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.serving.append(asyncio.current_task())  # type: ignore[arg-type]
        there, back = await asyncio.open_connection("127.0.0.1", self.port)
        await asyncio.gather(self._pass(reader, back), self._pass(there, writer, back=True))

    async def _pass(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, back: bool = False
    ) -> None:
        try:
            while data := await source.read(65_536):
                if not (back and self.silent):
                    sink.write(data)
        finally:
            sink.close()
            await sink.wait_closed()


async def test_a_server_that_falls_silent(
    mysql: dict[str, Any], driver: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_SILENCE", -0.9)
    wall = Wall(mysql["port"])
    listener = await asyncio.start_server(wall.serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    given = {**mysql, "host": "127.0.0.1", "port": port, "driver": driver, "timeout": 0.5}
    async with MysqlConnection(**given).open(Doors(tmp_path)) as opened:
        assert (await call_checked(QUERY, opened, sql="SELECT 1 AS n"))["rows"] == [{"n": 1}]
        wall.silent = True
        with pytest.raises(Exception) as raised:
            await call_checked(QUERY, opened, sql="SELECT 2 AS n")
        assert name_fault(connector.faults, raised.value).kind is FailureKind.TIMEOUT
        assert opened.pool.state.size == 0, "nobody knows in what state it is"
        wall.silent = False
        assert (await call_checked(QUERY, opened, sql="SELECT 3 AS n"))["rows"] == [{"n": 3}]
    listener.close()
    await asyncio.gather(*wall.serving, return_exceptions=True)


async def test_each_has_its_own_deadline() -> None:
    patience = Patience(0.05)
    ended: list[str] = []

    async def waits(name: str, begins: asyncio.Event, after: asyncio.Event | None) -> None:
        if after is not None:
            await after.wait()
        with pytest.raises(TimeoutError), patience:
            begins.set()
            await asyncio.Event().wait()
        ended.append(name)
        assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]

    first, second = asyncio.Event(), asyncio.Event()
    await asyncio.gather(waits("b", second, first), waits("a", first, None))
    assert ended == ["a", "b"]
    with patience:
        pass
    patience.close()


async def test_who_is_cancelled_from_outside_is_cancelled() -> None:
    patience, begun = Patience(60), asyncio.Event()

    async def waits() -> None:
        with patience:
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(waits())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    patience.close()
