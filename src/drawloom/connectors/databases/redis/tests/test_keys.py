"""Keys, whatever they hold."""

from __future__ import annotations

import pytest

from drawloom.errors import FailureKind


async def test_delete_and_exists(db, redis_server):
    a, b, none = map(db.key, ["a", "b", "none"])
    redis_server.ask("SET", a, "1")
    redis_server.ask("RPUSH", b, "1")
    assert await db("exists", keys=[a, b, none, a]) == {"count": 3}
    assert await db("delete", keys=[a, b, none]) == {"deleted": 2}
    assert await db("delete", keys=[a, b, none]) == {"deleted": 0}


async def test_the_time_that_a_key_has_left(db):
    key = db.key("a")
    assert await db("ttl", key=key) == {"seconds": None, "found": False}
    assert await db("expire", key=key, seconds=5) == {"changed": False}
    await db("set", key=key, value="x")
    assert await db("expire", key=key, seconds=0.5) == {"changed": True}
    assert 0 < (await db("ttl", key=key))["seconds"] <= 0.5
    assert await db("persist", key=key) == {"changed": True}
    assert await db("persist", key=key) == {"changed": False}
    assert await db("ttl", key=key) == {"seconds": None, "found": True}
    assert await db("expire_at", key=key, at="2020-01-01T00:00:00Z") == {"changed": True}
    assert await db("exists", keys=[key]) == {"count": 0}


@pytest.mark.parametrize("at", ["2999-01-01T00:00:00", "tomorrow", "", "12"])
async def test_an_instant_has_an_offset(db, at):
    failure = await db.failure("expire_at", key=db.key("a"), at=at)
    assert failure.kind is FailureKind.INVALID
    assert failure.message.startswith("at: ")


async def fill(db, redis_server, count):
    names = [db.key(f"k{number}") for number in range(count)]
    redis_server.ask("MSET", *(word for name in names for word in (name, "x")))
    return names


@pytest.mark.parametrize("batch", [30, 100, 5_000])
async def test_scan_finds_every_key_opened_anew_for_each_chunk(db, redis_server, batch):
    names = await fill(db, redis_server, 2_500)
    chunks = await db.chunks("scan", batch, match=db.key("*"))
    assert sorted(name for chunk in chunks for name in chunk) == sorted(names)


async def test_scan_by_type_and_pattern(db, redis_server):
    await fill(db, redis_server, 5)
    redis_server.ask("RPUSH", db.key("list"), "x")
    assert await db.chunks("scan", 9, match=db.key("*"), type="list") == [[db.key("list")]]
    assert await db.chunks("scan", 9, match=db.key("k[12]"), type="list") == []
    chunks = await db.chunks("scan", 9, match=db.key("k[12]"))
    assert sorted(name for chunk in chunks for name in chunk) == [db.key("k1"), db.key("k2")]


async def test_no_key_is_missed_where_the_table_changes_between_two_chunks(db, redis_server):
    """The server makes its table larger and smaller: keys may come twice, and none is missed."""
    staying = set(await fill(db, redis_server, 1_000))
    others = [db.key(f"other{number}") for number in range(6_000)]
    seen, after = [], None
    from drawloom.connectors.databases.redis import connector
    from drawloom.sdk import Context

    scan = connector.tools["redis.scan"]
    for turn in range(100_000):
        stream = scan(db.client, Context(after=after, batch=50), match=db.key("k*"))
        chunk = await anext(stream, None)
        await stream.aclose()
        if chunk is None:
            break
        seen += chunk.items
        after = chunk.after
        if turn % 8 == 0:
            redis_server.ask("MSET", *(word for name in others for word in (name, "x")))
        elif turn % 8 == 4:
            redis_server.ask("DEL", *others)
    assert set(seen) == staying
    assert turn > 20, "the table did change meanwhile"


async def test_a_name_that_is_not_utf8_is_said(db, redis_server):
    redis_server.ask("SET", db.key("a").encode() + b"\xff", "x")
    with pytest.raises(Exception, match="is not UTF-8, and a chain cannot hold it"):
        await db.chunks("scan", 10, match=db.key("*"))
