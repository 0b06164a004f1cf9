"""Pub/Sub: messages to whoever listens at that moment."""

from __future__ import annotations

import asyncio

import pytest
from redis.exceptions import RedisError
from tests.servers.redis import clients, until

from drawloom.connectors.databases.redis import connector
from drawloom.errors import FailureKind
from drawloom.sdk import Context, name_fault

SUBSCRIBE = connector.tools["redis.subscribe"]


async def heard(db, batch=10, after=None, **given):
    """The items, and the last cursor, of one stream that is read to its end."""
    items, cursor = [], None
    async for chunk in SUBSCRIBE(db.client, Context(batch=batch, after=after), **given):
        assert 0 < len(chunk.items) <= batch
        items += chunk.items
        cursor = chunk.after
    return items, cursor


def listeners(redis_server, channel):
    return redis_server.ask("PUBSUB NUMSUB", channel)[0][1]


async def test_messages_come_in_order_until_the_count_is_reached(db, redis_server):
    a, b = db.key("a"), db.key("b")
    listening = asyncio.create_task(heard(db, channels=[a, b], count=3, encoding="json"))
    await until(lambda: listeners(redis_server, b) == 1)
    assert await db("publish", channel=a, message={"n": 1}, encoding="json") == {"receivers": 1}
    await db("publish", channel=b, message=2, encoding="json")
    await db("publish", channel=a, message="3", encoding="json")
    items, cursor = await listening
    assert items == [
        {"channel": a, "message": {"n": 1}},
        {"channel": b, "message": 2},
        {"channel": a, "message": "3"},
    ]
    assert cursor == [3, None]
    await until(lambda: listeners(redis_server, a) == 0)


async def test_channels_by_a_pattern(db, redis_server):
    pattern = db.key("news.*")
    listening = asyncio.create_task(heard(db, channels=[pattern], patterns=True, count=1))
    await until(lambda: redis_server.ask("PUBLISH", db.key("news.eu"), "x") == 1)
    assert (await listening)[0] == [{"channel": db.key("news.eu"), "message": "x"}]


async def test_time_ends_it(db):
    assert await heard(db, channels=[db.key("a")], seconds=0.05) == ([], None)


async def test_it_goes_on_behind_a_cursor(db, redis_server):
    """Two of three were seen; and where its time had passed, there is nothing more."""
    channel = db.key("a")
    listening = asyncio.create_task(heard(db, after=[2, None], channels=[channel], count=3))
    await until(lambda: redis_server.ask("PUBLISH", channel, "x") == 1)
    assert await listening == ([{"channel": channel, "message": "x"}], [3, None])
    assert await heard(db, after=[2, 1.0], channels=[channel], seconds=600) == ([], None)


async def test_a_burst_comes_in_chunks_that_fit(db, redis_server):
    channel = db.key("a")
    listening = asyncio.create_task(heard(db, batch=7, channels=[channel], count=1_000))
    await until(lambda: listeners(redis_server, channel) == 1)
    burst = "for number = 0, 999 do redis.call('PUBLISH', KEYS[1], number) end"
    redis_server.ask("EVAL", burst, 1, channel)
    items, _ = await listening
    assert [item["message"] for item in items] == [str(number) for number in range(1_000)]


async def test_a_stream_without_an_end_is_refused(db):
    with pytest.raises(Exception, match="give count or seconds") as raised:
        await heard(db, channels=[db.key("a")])
    assert name_fault(connector.faults, raised.value).kind is FailureKind.INVALID


async def test_the_connection_is_used_again_by_nobody_who_would_hear(db, redis_server):
    channel = db.key("a")
    stream = SUBSCRIBE(db.client, Context(batch=1), channels=[channel], count=9)
    first = asyncio.create_task(anext(stream))
    await until(lambda: redis_server.ask("PUBLISH", channel, "x") == 1)
    assert (await first).items == [{"channel": channel, "message": "x"}]
    redis_server.ask("PUBLISH", channel, "not to be heard by the next command")
    await stream.aclose()
    assert await db("set", key=channel, value="y") == {"set": True}
    await until(lambda: listeners(redis_server, channel) == 0)


async def test_a_listener_that_is_cut_off_fails_and_says_so(db, redis_server):
    channel = db.key("a")
    listening = asyncio.create_task(heard(db, channels=[channel], count=1))
    await until(lambda: listeners(redis_server, channel) == 1)
    [mine] = [one for one in clients(redis_server, db.client) if one["sub"] == "1"]
    redis_server.ask("CLIENT", "KILL", "ID", mine["id"])
    with pytest.raises(RedisError) as raised:
        await listening
    assert name_fault(connector.faults, raised.value).kind is FailureKind.TRANSIENT
