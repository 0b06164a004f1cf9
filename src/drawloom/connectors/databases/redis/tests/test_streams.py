"""Streams: entries that stay."""

from __future__ import annotations

import asyncio

import pytest
from tests.servers.redis import until, waits

from drawloom.errors import FailureKind

K = FailureKind


@pytest.fixture
async def s(db, redis_server):
    for number in range(1, 6):
        redis_server.ask("XADD", db.key("s"), f"{number}-0", "n", number)
    return db


def ids(found):
    return [entry["id"] for entry in found["entries"]]


async def test_an_entry_is_added_and_read(db):
    key = db.key("s")
    made = await db("stream_add", key=key, fields={"a": {"b": 1}, "c": None}, encoding="json")
    found = await db("stream_range", key=key, encoding="json")
    assert found == {"entries": [{"id": made["id"], "fields": {"a": {"b": 1}, "c": None}}]}
    assert await db("stream_add", key=db.key("no"), fields={"a": "x"}, create=False) == {
        "id": None
    }
    assert await db("exists", keys=[db.key("no")]) == {"count": 0}


async def test_ids_of_ones_own_only_grow(s):
    assert await s("stream_add", key=s.key("s"), fields={"n": "6"}, id="6-1") == {"id": "6-1"}
    failure = await s.failure("stream_add", key=s.key("s"), fields={"n": "6"}, id="6-1")
    assert failure.kind is K.INVALID
    assert "equal or smaller" in failure.message


async def test_a_part_of_a_stream(s):
    key = s.key("s")
    assert ids(await s("stream_range", key=key, start="2-0", stop="4-0")) == ["2-0", "3-0", "4-0"]
    assert ids(await s("stream_range", key=key, reverse=True, count=2)) == ["5-0", "4-0"]
    assert ids(await s("stream_range", key=key, start="4")) == ["4-0", "5-0"]
    assert await s("stream_length", key=key) == {"length": 5}
    assert await s("stream_trim", key=key, max_length=2) == {"removed": 3}
    assert ids(await s("stream_range", key=key)) == ["4-0", "5-0"]


async def test_scan_goes_on_behind_an_entry_and_gives_nothing_twice(s, redis_server):
    chunks = await s.chunks("stream_scan", 2, key=s.key("s"))
    assert [[e["id"] for e in chunk] for chunk in chunks] == [
        ["1-0", "2-0"],
        ["3-0", "4-0"],
        ["5-0"],
    ]
    assert await s.chunks("stream_scan", 2, key=s.key("no")) == []


async def test_two_fields_of_one_name_are_no_object(db, redis_server):
    redis_server.ask("XADD", db.key("s"), "*", "a", 1, "a", 2)
    failure = await db.failure("stream_range", key=db.key("s"))
    assert failure.kind is K.INVALID
    assert "two fields of one name" in failure.message


async def test_reading_behind_an_id_and_waiting(s, redis_server):
    key = s.key("s")
    assert ids(await s("stream_read", key=key, after="3-0")) == ["4-0", "5-0"]
    assert ids(await s("stream_read", key=key, count=1)) == ["1-0"]
    assert await s("stream_read", key=key, after="5-0") == {"entries": []}
    assert await s("stream_read", key=key, after="$", seconds=0.01) == {"entries": []}
    waiting = asyncio.create_task(s("stream_read", key=key, after="$", seconds=600))
    await until(lambda: waits(redis_server, s.client))
    redis_server.ask("XADD", key, "9-0", "n", "9")
    assert await waiting == {"entries": [{"id": "9-0", "fields": {"n": "9"}}]}


async def test_a_group_gives_again_what_was_not_acknowledged(s):
    given = {"key": s.key("s"), "group": "g"}
    assert await s("stream_create_group", **given) == {"created": True}
    assert await s("stream_create_group", **given) == {"created": False}
    for _ in "12":
        found = await s("stream_read_group", consumer="ada", count=2, **given)
        assert ids(found) == ["1-0", "2-0"]
    assert ids(await s("stream_read_group", consumer="grace", count=2, **given)) == ["3-0", "4-0"]
    pending = (await s("stream_pending", consumer="ada", **given))["entries"]
    assert [(e["id"], e["consumer"], e["deliveries"] > 1) for e in pending] == [
        ("1-0", "ada", True),
        ("2-0", "ada", True),
    ]
    assert all(0 <= entry["idle"] < 600 for entry in pending)
    assert await s("stream_ack", ids=["1-0", "2-0"], **given) == {"acknowledged": 2}
    assert await s("stream_ack", ids=["1-0", "2-0"], **given) == {"acknowledged": 0}
    assert ids(await s("stream_read_group", consumer="ada", **given)) == ["5-0"]
    assert len((await s("stream_pending", idle=3_600, **given))["entries"]) == 0
    assert len((await s("stream_pending", **given))["entries"]) == 3


async def test_a_group_that_waits(s, redis_server):
    given = {"key": s.key("s"), "group": "g", "consumer": "ada"}
    await s("stream_create_group", key=s.key("s"), group="g", after="$")
    assert await s("stream_read_group", seconds=0.01, **given) == {"entries": []}
    waiting = asyncio.create_task(s("stream_read_group", seconds=600, **given))
    await until(lambda: waits(redis_server, s.client))
    redis_server.ask("XADD", s.key("s"), "9-0", "n", "9")
    assert ids(await waiting) == ["9-0"]


async def test_what_another_never_acknowledged_is_claimed(s, redis_server):
    given = {"key": s.key("s"), "group": "g"}
    await s("stream_create_group", **given)
    await s("stream_read_group", consumer="gone", count=3, **given)
    redis_server.ask("XDEL", s.key("s"), "2-0")
    # As if it had taken them an hour ago.
    redis_server.ask("XCLAIM", s.key("s"), "g", "gone", 0, "1-0", "3-0", "IDLE", 3_600_000)
    assert ids(await s("stream_claim", consumer="ada", idle=7_200, **given)) == []
    claimed = await s("stream_claim", consumer="ada", idle=3_000, count=1, **given)
    assert ids(claimed) == ["1-0"]
    assert claimed["next"] is not None
    claimed = await s("stream_claim", consumer="ada", idle=3_000, start=claimed["next"], **given)
    assert (ids(claimed), claimed["next"]) == (["3-0"], None)
    assert ids(await s("stream_read_group", consumer="ada", **given)) == ["1-0", "3-0"]


async def test_an_entry_that_was_deleted_after_it_was_taken_is_empty(s, redis_server):
    given = {"key": s.key("s"), "group": "g", "consumer": "ada"}
    await s("stream_create_group", key=s.key("s"), group="g")
    await s("stream_read_group", count=1, **given)
    redis_server.ask("XDEL", s.key("s"), "1-0")
    assert await s("stream_read_group", **given) == {"entries": [{"id": "1-0", "fields": {}}]}


async def test_a_group_that_is_not_there(s):
    given = {"key": s.key("s"), "group": "no"}
    failure = await s.failure("stream_read_group", consumer="ada", **given)
    assert failure.kind is K.MISSING
    assert (await s.failure("stream_pending", **given)).kind is K.MISSING
