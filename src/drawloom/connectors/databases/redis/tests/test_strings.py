"""Values by key: get, set, count."""

from __future__ import annotations

import pytest

from drawloom.errors import FailureKind
from drawloom.sdk import Context

K = FailureKind


@pytest.mark.parametrize(
    ("encoding", "value", "kept"),
    [
        ("text", "ünï 漢字 🧵", "ünï 漢字 🧵".encode()),
        ("text", "", b""),
        ("text", "007", b"007"),
        ("base64", "AP+A", b"\x00\xff\x80"),
        ("json", {"a": [1, None, "x"]}, b'{"a":[1,null,"x"]}'),
        ("json", "9007199254740993", b'"9007199254740993"'),
        ("json", None, b"null"),
        ("json", 5, b"5"),
    ],
)
async def test_a_value_is_exact_both_ways(db, redis_server, encoding, value, kept):
    key = db.key("a")
    assert await db("set", key=key, value=value, encoding=encoding) == {"set": True}
    assert redis_server.ask("GET", key) == kept
    assert await db("get", key=key, encoding=encoding) == {"value": value, "found": True}


async def test_a_big_integer_of_json_comes_as_a_string(db, redis_server):
    redis_server.ask("SET", db.key("a"), b"9007199254740993")
    found = await db("get", key=db.key("a"), encoding="json")
    assert found["value"] == "9007199254740993"


@pytest.mark.parametrize(
    ("encoding", "value", "says"),
    [
        ("text", 5, "value: text takes a text, not int; say encoding: json"),
        ("text", None, "not null"),
        ("base64", "no!", "not base64"),
        ("base64", {"a": 1}, "base64 takes a text, not dict"),
    ],
)
async def test_what_is_no_such_value_is_refused(db, encoding, value, says):
    failure = await db.failure("set", key=db.key("a"), value=value, encoding=encoding)
    assert failure.kind is K.INVALID
    assert says in failure.message


@pytest.mark.parametrize(
    ("kept", "encoding", "says"),
    [
        (b"\xff\xfe", "text", "is not UTF-8; read it with encoding: base64"),
        (b"{no", "json", "line 1"),
        (b'{"a":1,"a":2}', "json", "'a'"),
    ],
)
async def test_what_cannot_be_read_is_said(db, redis_server, kept, encoding, says):
    redis_server.ask("SET", db.key("a"), kept)
    failure = await db.failure("get", key=db.key("a"), encoding=encoding)
    assert failure.kind is K.INVALID
    assert says in failure.message
    assert db.key("a") in failure.message


async def test_many_at_once(db):
    a, b, c = map(db.key, "abc")
    assert await db("mset", values={a: [1], b: {"x": 2}}, encoding="json") is None
    found = await db("mget", keys=[a, c, b], encoding="json")
    assert found == {"values": [[1], None, {"x": 2}]}


async def test_only_if_present(db):
    key = db.key("a")
    assert await db("set", key=key, value="x", only_if_present=True) == {"set": False}
    assert (await db("get", key=key))["found"] is False
    await db("set", key=key, value="x")
    assert await db("set", key=key, value="y", only_if_present=True) == {"set": True}
    assert (await db("get", key=key))["value"] == "y"


async def test_the_time_that_a_value_expires(db):
    key = db.key("a")
    await db("set", key=key, value="x", expire=1_000)
    assert 999 < (await db("ttl", key=key))["seconds"] <= 1_000
    await db("set", key=key, value="y", keep_ttl=True)
    assert 999 < (await db("ttl", key=key))["seconds"] <= 1_000
    await db("set", key=key, value="z")
    assert await db("ttl", key=key) == {"seconds": None, "found": True}
    await db("set", key=key, value="z", expire_at="2999-01-01T00:00:00+01:00")
    assert (await db("ttl", key=key))["seconds"] > 1e9
    failure = await db.failure("set", key=key, value="z", expire=1, keep_ttl=True)
    assert failure.kind is K.INVALID


async def test_set_if_absent_tells_who_was_first_even_after_a_crash(db):
    key = db.key("lock")
    assert await db.twice("set_if_absent", key=key, value="ada", expire=1_000) == {"set": True}
    assert 999 < (await db("ttl", key=key))["seconds"] <= 1_000
    assert await db.twice("set_if_absent", key=key, value="grace") == {"set": False}
    assert (await db("get", key=key))["value"] == "ada"


async def test_set_if_absent_where_another_kind_of_value_is(db, redis_server):
    redis_server.ask("RPUSH", db.key("a"), "x")
    assert await db.twice("set_if_absent", key=db.key("a"), value="y") == {"set": False}


async def test_exchange_gives_what_was_there_even_after_a_crash(db):
    key = db.key("a")
    assert await db.twice("exchange", key=key, value="1") == {"value": None, "found": False}
    assert await db.twice("exchange", key=key, value="2") == {"value": "1", "found": True}
    assert (await db("get", key=key))["value"] == "2"


async def test_exchange_leaves_what_is_no_value(db, redis_server):
    redis_server.ask("RPUSH", db.key("a"), "x")
    failure = await db.failure("exchange", key=db.key("a"), value="y")
    assert failure.kind is K.CONFLICT
    assert redis_server.ask("LRANGE", db.key("a"), 0, -1) == [b"x"]
    assert redis_server.ask("EXISTS", f"drawloom:note:{db.prefix}call-1") == 0


async def test_a_repeated_call_counts_once(db):
    key = db.key("n")
    assert await db.twice("incr", key=key) == {"value": 1}
    assert await db.twice("incr", key=key, by=41) == {"value": 42}
    assert await db.twice("decr", key=key, by=2) == {"value": 40}
    assert (await db("get", key=key))["value"] == "40"


async def test_a_repeated_call_gives_its_own_number_not_the_one_since(db):
    mine = Context(key=db.key("mine"))
    assert await db("incr", key=db.key("n"), context=mine) == {"value": 1}
    assert await db("incr", key=db.key("n")) == {"value": 2}
    assert await db("incr", key=db.key("n"), context=mine) == {"value": 1}


async def test_numbers_beyond_a_double_are_exact(db, redis_server):
    redis_server.ask("SET", db.key("n"), 2**63 - 2)
    assert await db.twice("incr", key=db.key("n")) == {"value": str(2**63 - 1)}
    failure = await db.failure("incr", key=db.key("n"))
    assert failure.kind is K.INVALID
    assert "overflow" in failure.message


async def test_what_failed_is_not_vouched_for(db, redis_server):
    redis_server.ask("SET", db.key("n"), "many")
    call = Context(key=db.key("call"))
    failure = await db.failure("incr", key=db.key("n"), context=call)
    assert failure.kind is K.INVALID
    redis_server.ask("SET", db.key("n"), 1)
    assert await db("incr", key=db.key("n"), context=call) == {"value": 2}


async def test_a_note_expires(db, redis_server):
    await db("incr", key=db.key("n"), context=Context(key=db.key("call")))
    left = redis_server.ask("TTL", f"drawloom:note:{db.key('call')}")
    assert 86_000 < left <= 86_400


@pytest.mark.parametrize("settings", [{"note_seconds": 7}])
async def test_how_long_a_note_is_kept_is_a_setting(db, redis_server):
    await db("incr", key=db.key("n"), context=Context(key=db.key("call")))
    assert 0 < redis_server.ask("TTL", f"drawloom:note:{db.key('call')}") <= 7


async def test_a_keyed_tool_needs_the_engine(db):
    failure = await db.failure("incr", key=db.key("n"), context=Context())
    assert failure.kind is K.INVALID
    assert "call this tool from a chain" in failure.message
