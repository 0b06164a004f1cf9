"""Lists: put in and taken out at either end."""

from __future__ import annotations

import asyncio

import pytest
from tests.servers.redis import until, waits

from drawloom.errors import FailureKind
from drawloom.sdk import Context

K = FailureKind


async def values(db, key):
    return (await db("list_range", key=key))["values"]


async def test_a_repeated_push_adds_once(db):
    key = db.key("l")
    assert await db.twice("list_push", key=key, values=["a", "b"]) == {"length": 2}
    assert await db.twice("list_push", key=key, values=["c", "d"], end="left") == {"length": 4}
    assert await values(db, key) == ["d", "c", "a", "b"]
    assert await db("list_length", key=key) == {"length": 4}


async def test_a_repeated_pop_gives_what_the_first_one_took(db):
    key = db.key("l")
    await db("list_push", key=key, values=[1, 2, 3, 4, 5], encoding="json")
    assert await db.twice("list_pop", key=key, encoding="json") == {"values": [1]}
    assert await db.twice("list_pop", key=key, count=3, end="right", encoding="json") == {
        "values": [5, 4, 3]
    }
    assert await db.twice("list_pop", key=key, count=3, encoding="json") == {"values": [2]}
    assert await db("list_pop", key=key) == {"values": []}
    assert await db("exists", keys=[key]) == {"count": 0}


@pytest.mark.parametrize("end", ["left", "right"])
async def test_what_cannot_be_read_is_put_back(db, redis_server, end):
    kept = [b"a", b"\xff", b"b", b"\xfe", b"c"]
    redis_server.ask("RPUSH", db.key("l"), *kept)
    failure = await db.failure("list_pop", key=db.key("l"), count=4, end=end)
    assert failure.kind is K.INVALID
    assert redis_server.ask("LRANGE", db.key("l"), 0, -1) == kept


async def test_a_part_of_a_list(db):
    key = db.key("l")
    await db("list_push", key=key, values=list("abcde"))
    for start, stop, part in [
        (0, 1, "ab"),
        (-2, -1, "de"),
        (3, 99, "de"),
        (4, 2, ""),
        (1, -2, "bcd"),
    ]:
        found = await db("list_range", key=key, start=start, stop=stop)
        assert found["values"] == list(part)
    assert await db("list_trim", key=key, start=1, stop=-2) is None
    assert await values(db, key) == list("bcd")


@pytest.mark.parametrize("settings", [{"max_items": 3}])
async def test_a_part_that_is_too_large_is_an_error(db):
    key = db.key("l")
    await db("list_push", key=key, values=list("abcde"))
    assert (await db("list_range", key=key, start=-9, stop=2))["values"] == list("abc")
    for start, stop in [(0, -1), (0, 3), (-4, -1), (-9, 3), (1, 2**53 - 1)]:
        failure = await db.failure("list_range", key=key, start=start, stop=stop)
        assert failure.kind is K.INVALID
        assert "max_items is 3" in failure.message


async def test_a_repeated_move_moves_once(db):
    a, b = db.key("a"), db.key("b")
    await db("list_push", key=a, values=["1", "2", "3"])
    assert await db.twice("list_move", source=a, target=b) == {"value": "1", "found": True}
    assert await db.twice("list_move", source=a, target=b, take="right", put="left") == {
        "value": "3",
        "found": True,
    }
    assert (await values(db, a), await values(db, b)) == (["2"], ["3", "1"])
    assert await db("list_move", source=db.key("no"), target=b) == {"value": None, "found": False}


async def test_a_list_that_turns(db):
    await db("list_push", key=db.key("a"), values=["1", "2", "3"])
    await db.twice("list_move", source=db.key("a"), target=db.key("a"))
    assert await values(db, db.key("a")) == ["2", "3", "1"]


async def test_a_move_to_what_is_no_list_is_taken_back(db, redis_server):
    await db("list_push", key=db.key("a"), values=["1", "2"])
    redis_server.ask("SET", db.key("b"), "x")
    failure = await db.failure("list_move", source=db.key("a"), target=db.key("b"))
    assert failure.kind is K.CONFLICT
    assert await values(db, db.key("a")) == ["1", "2"]
    assert list(redis_server.ask("KEYS", f"drawloom:note:{db.prefix}*move*")) == []


async def test_waiting_for_a_value(db, redis_server):
    key = db.key("l")
    assert await db("list_wait_pop", key=key, seconds=0.01) == {"values": []}
    waiting = asyncio.create_task(db("list_wait_pop", key=key, seconds=600))
    await until(lambda: waits(redis_server, db.client))
    redis_server.ask("LPUSH", key, "a")
    assert await waiting == {"values": ["a"]}
    await db("list_push", key=key, values=["b", "c"])
    assert await db.twice("list_wait_pop", key=key, seconds=600) == {"values": ["b"]}
    assert await values(db, key) == ["c"]


async def test_a_wait_that_is_ended_takes_nothing(db, redis_server):
    """As the engine ends it, where the step's timeout comes first."""
    key, call = db.key("l"), Context(key=db.key("call"))
    waiting = asyncio.create_task(db("list_wait_pop", key=key, seconds=600, context=call))
    await until(lambda: waits(redis_server, db.client))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await until(lambda: not waits(redis_server, db.client))
    await db("list_push", key=key, values=["a"])
    assert await values(db, key) == ["a"]
    assert await db("list_wait_pop", key=key, seconds=600, context=call) == {"values": ["a"]}


@pytest.mark.parametrize("settings", [{"timeout": 0.5}])
async def test_a_wait_may_be_longer_than_a_command(db):
    assert await db("list_wait_pop", key=db.key("l"), seconds=0.6) == {"values": []}


async def test_what_cannot_be_read_after_a_wait_is_put_back(db, redis_server):
    redis_server.ask("RPUSH", db.key("l"), b"\xff", "b")
    failure = await db.failure("list_wait_pop", key=db.key("l"), seconds=1)
    assert failure.kind is K.INVALID
    assert redis_server.ask("LRANGE", db.key("l"), 0, -1) == [b"\xff", b"b"]
