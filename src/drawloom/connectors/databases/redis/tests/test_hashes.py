"""Hashes: named fields under one key."""

from __future__ import annotations

import pytest

from drawloom.errors import FailureKind
from drawloom.sdk import Context


async def test_fields_are_set_read_and_deleted(db):
    key = db.key("h")
    assert await db("hash_set", key=key, fields={"a": "1", "ü": "2"}) == {"added": 2}
    assert await db("hash_set", key=key, fields={"a": "3"}) == {"added": 0}
    assert await db("hash_get", key=key, fields=["ü", "no", "a"]) == {
        "fields": {"ü": "2", "no": None, "a": "3"}
    }
    assert await db("hash_get_all", key=key) == {"fields": {"a": "3", "ü": "2"}, "found": True}
    assert await db("hash_delete", key=key, fields=["a", "no"]) == {"deleted": 1}
    assert await db("hash_get_all", key=db.key("no")) == {"fields": {}, "found": False}


async def test_values_of_any_kind(db):
    await db("hash_set", key=db.key("h"), fields={"a": {"b": [1]}, "c": None}, encoding="json")
    found = await db("hash_get_all", key=db.key("h"), encoding="json")
    assert found["fields"] == {"a": {"b": [1]}, "c": None}


async def test_a_field_that_is_wrong_is_named(db, redis_server):
    failure = await db.failure("hash_set", key=db.key("h"), fields={"a": "x", "b": 2})
    assert failure.kind is FailureKind.INVALID
    assert failure.message.startswith("fields['b']: ")
    redis_server.ask("HSET", db.key("h"), "b", b"\xff")
    failure = await db.failure("hash_get", key=db.key("h"), fields=["b"])
    assert failure.message.startswith(f"{db.key('h')}.b: ")


async def test_a_repeated_call_counts_once(db):
    key = db.key("h")
    assert await db.twice("hash_incr", key=key, field="n", by=5) == {"value": 5}
    mine = Context(key=db.key("mine"))
    assert await db("hash_incr", key=key, field="n", by=-6, context=mine) == {"value": -1}
    assert await db("hash_incr", key=key, field="n", by=-6, context=mine) == {"value": -1}


async def test_what_is_no_number_does_not_count(db):
    await db("hash_set", key=db.key("h"), fields={"n": "many"})
    failure = await db.failure("hash_incr", key=db.key("h"), field="n")
    assert failure.kind is FailureKind.INVALID


@pytest.mark.parametrize("settings", [{"max_items": 3}])
async def test_a_hash_that_is_too_large_is_an_error_that_names_the_setting(db):
    await db("hash_set", key=db.key("h"), fields=dict.fromkeys("abc", "x"))
    assert len((await db("hash_get_all", key=db.key("h")))["fields"]) == 3
    await db("hash_set", key=db.key("h"), fields={"d": "x"})
    failure = await db.failure("hash_get_all", key=db.key("h"))
    assert failure.kind is FailureKind.INVALID
    assert "may have 4 items, and the connection's max_items is 3" in failure.message


@pytest.mark.parametrize(("count", "batch"), [(20, 7), (3_000, 100)])
async def test_scan_reads_every_field(db, redis_server, count, batch):
    """A small hash comes in one step of the server, a large one in many."""
    fields = {f"f{number}": f"{number}" for number in range(count)}
    redis_server.ask("HSET", db.key("h"), *(word for pair in fields.items() for word in pair))
    chunks = await db.chunks("hash_scan", batch, key=db.key("h"))
    assert {e["field"]: e["value"] for chunk in chunks for e in chunk} == fields
    some = await db.chunks("hash_scan", batch, key=db.key("h"), match="f1")
    assert some == [[{"field": "f1", "value": "1"}]]
