"""Clients: opened once, shared, closed; settings that are wrong are said without their values."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from drawloom.doors import Doors
from drawloom.errors import ConnectionUnusable
from drawloom.runtime import Catalogue, Clients, StoredConnection
from drawloom.sdk import Connection, Connector, Secret

log: list[str] = []


class Settings(Connection):
    host: str = "here"
    port: int = 1
    password: Secret | None = None

    @asynccontextmanager
    async def open(self, doors: Doors) -> AsyncIterator[Any]:
        if self.host == "down":
            raise ConnectionRefusedError("nobody listens")
        log.append(f"open {self.host}")
        await asyncio.sleep(0)
        yield {"host": self.host}
        log.append(f"close {self.host}")


def clients(**connections: Any) -> Clients:
    log.clear()
    catalogue = Catalogue(extra=[Connector("lab", Settings), Connector("plain")])
    stored = {
        name: StoredConnection(name, settings.pop("kind", "lab"), settings)
        for name, settings in connections.items()
    }
    return Clients(catalogue, stored, Doors())


async def test_a_client_is_opened_once_however_many_ask() -> None:
    opened = clients(a={"host": "a"})
    found = await asyncio.gather(*[opened.get("a") for _ in range(20)])
    assert all(client is found[0] for client in found)
    assert opened.ready("a") is found[0]
    assert log == ["open a"]
    await opened.aclose()


async def test_clients_are_closed_at_the_end_the_last_first() -> None:
    opened = clients(a={"host": "a"}, b={"host": "b"})
    await opened.get("a")
    await opened.get("b")
    await opened.aclose()
    assert log == ["open a", "open b", "close b", "close a"]
    assert opened.ready("a") is None


async def test_a_client_that_cannot_be_opened_is_tried_again_by_the_next() -> None:
    opened = clients(a={"host": "down"})
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            await opened.get("a")
    assert opened.ready("a") is None
    await opened.aclose()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"port": "s3cret-not-a-port"}, "connection 'a': port: "),
        ({"pass": "s3cret-not-a-field"}, "connection 'a': pass: "),
        ({"password": "s3cret-in-clear"}, "connection 'a': password"),
        ({"kind": "nothing-like-it"}, "connection 'a': unknown kind"),
        ({"kind": "plain"}, "connection 'a': plain needs no connection"),
    ],
)
async def test_settings_that_are_wrong_are_named_without_their_values(
    settings: dict[str, Any], message: str
) -> None:
    opened = clients(a=settings)
    with pytest.raises(ConnectionUnusable) as unusable:
        await opened.get("a")
    assert message in str(unusable.value)
    assert "s3cret" not in str(unusable.value)
    assert unusable.value.__cause__ is None
    await opened.aclose()


async def test_a_connection_that_is_not_there_names_those_that_are() -> None:
    opened = clients(b={}, a={})
    with pytest.raises(ConnectionUnusable, match="no connection 'c' \\(known: a, b\\)"):
        await opened.get("c")
    await opened.aclose()
