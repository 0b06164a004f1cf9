"""NOTIFY reaches who listens, once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from drawloom.errors import FailureKind
from drawloom.sdk import Context


@pytest.fixture
async def heard(db: Any, postgresql_server: Any) -> Any:
    listener = await postgresql_server.connect(db.client.settings.database)
    queue: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    def hear(connection: Any, number: int, channel: str, payload: str) -> None:
        queue.put_nowait((channel, payload))

    channel = 'Odd "one"; --'
    await listener.add_listener(channel, hear)
    yield channel, queue
    await listener.remove_listener(channel, hear)
    await listener.close()


async def test_who_listens_hears_it_once(db, heard):
    channel, queue = heard
    for _ in range(2):
        given = {"channel": channel, "payload": "é'\"; DROP TABLE t"}
        assert await db("notify", **given, context=Context(key="k")) == {"channel": channel}
    await db("notify", channel=channel, payload="last")
    assert await queue.get() == (channel, "é'\"; DROP TABLE t")
    assert await queue.get() == (channel, "last")


@pytest.mark.parametrize("given", [{"payload": "é" * 4_000}, {"channel": "c" * 64}])
async def test_what_is_too_long_is_refused(db, given):
    failure = await db.failure("notify", **{"channel": "c", **given})
    assert failure.kind is FailureKind.INVALID
    assert "bytes" in failure.message
