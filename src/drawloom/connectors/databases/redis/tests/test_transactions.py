"""Several commands at once, as data."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import ValidationError

from drawloom.connectors.databases.redis import connector
from drawloom.connectors.databases.redis.transactions import OPERATIONS
from drawloom.errors import FailureKind, ToolError
from drawloom.sdk import Context

K = FailureKind
TRANSACTION = connector.tools["redis.transaction"]


async def test_all_is_done_once(db):
    n, s, done = db.key("n"), db.key("s"), db.key("done")
    operations = [
        {"do": "incr", "key": n, "by": 5},
        {"do": "stream_add", "key": s, "fields": {"n": 5}, "encoding": "json"},
        {"do": "set", "key": done, "value": "yes", "expire": 1_000},
        {"do": "get", "key": done},
        {"do": "sorted_add", "key": db.key("z"), "members": [{"member": "a", "score": 1}]},
    ]
    results = (await db.twice("transaction", operations=operations))["results"]
    assert results[0] == {"value": 5}
    assert results[2:] == [{"set": True}, {"value": "yes", "found": True}, {"changed": 1}]
    entries = (await db("stream_range", key=s, encoding="json"))["entries"]
    assert entries == [{"id": results[1]["id"], "fields": {"n": 5}}]
    assert (await db("get", key=n))["value"] == "5"


EVERY = {
    "get": {"key": "a"}, "mget": {"keys": ["a"]}, "set": {"key": "a", "value": "1"},
    "mset": {"values": {"a": "1"}}, "delete": {"keys": ["a"]}, "exists": {"keys": ["a"]},
    "expire": {"key": "a", "seconds": 9}, "expire_at": {"key": "a", "at": "2999-01-01T00:00:00Z"},
    "persist": {"key": "a"}, "ttl": {"key": "a"}, "incr": {"key": "a"},
    "hash_set": {"key": "h", "fields": {"f": "1"}}, "hash_get": {"key": "h", "fields": ["f"]},
    "hash_delete": {"key": "h", "fields": ["f"]}, "hash_incr": {"key": "h", "field": "n"},
    "list_push": {"key": "l", "values": ["1"]}, "list_pop": {"key": "l"},
    "list_length": {"key": "l"}, "list_trim": {"key": "l", "start": 0, "stop": 1},
    "set_add": {"key": "s", "members": ["1"]}, "set_remove": {"key": "s", "members": ["1"]},
    "set_contains": {"key": "s", "members": ["1"]}, "set_size": {"key": "s"},
    "set_combine_into": {"target": "t", "how": "union", "keys": ["s"]},
    "sorted_add": {"key": "z", "members": [{"member": "a", "score": 1}]},
    "sorted_remove": {"key": "z", "members": ["b"]}, "sorted_incr": {"key": "z", "member": "a"},
    "sorted_rank": {"key": "z", "member": "a"}, "sorted_scores": {"key": "z", "members": ["a"]},
    "sorted_count": {"key": "z"},
    "sorted_combine_into": {"target": "y", "how": "union", "keys": ["z"]},
    "stream_add": {"key": "x", "fields": {"f": "1"}}, "stream_length": {"key": "x"},
    "stream_trim": {"key": "x", "max_length": 1},
    "stream_ack": {"key": "x", "group": "g", "ids": ["1-0"]},
    "publish": {"channel": "c", "message": "m"},
}  # fmt: skip


def with_prefix(db, given):
    """The same on keys of the test's own."""
    named = {"key", "target", "channel"}
    made = {n: db.key(v) if n in named else v for n, v in given.items()}
    if "keys" in made:
        made["keys"] = [db.key(key) for key in made["keys"]]
    if "values" in made and isinstance(made["values"], dict):
        made["values"] = {db.key(key): value for key, value in made["values"].items()}
    return made


async def test_every_operation_gives_what_its_tool_gives(db):
    assert EVERY.keys() == OPERATIONS.keys()
    operations = [{"do": name, **with_prefix(db, given)} for name, given in EVERY.items()]
    results = (await db("transaction", operations=operations))["results"]
    for (name, given), result in zip(EVERY.items(), results, strict=True):
        as_tool = await db(name, **with_prefix(db, given))
        assert type(result) is type(as_tool), name
        if result is not None:
            assert result.keys() == as_tool.keys(), name


@pytest.mark.parametrize(
    ("watch", "holds"),
    [
        ({"key": "a", "exists": True}, True),
        ({"key": "a", "exists": False}, False),
        ({"key": "no", "exists": False}, True),
        ({"key": "a", "equals": "1"}, True),
        ({"key": "a", "equals": "2"}, False),
        ({"key": "a", "equals": 1, "encoding": "json"}, True),
        ({"key": "no", "equals": "1"}, False),
        ({"key": "h", "field": "f", "equals": "x"}, True),
        ({"key": "h", "field": "f", "equals": "y"}, False),
        ({"key": "h", "field": "no", "exists": False}, True),
        ({"key": "h", "field": "no", "exists": True}, False),
    ],
)
async def test_it_is_done_only_if_what_is_watched_is_so(db, watch, holds):
    await db("set", key=db.key("a"), value="1")
    await db("hash_set", key=db.key("h"), fields={"f": "x"})
    given = {
        "operations": [{"do": "incr", "key": db.key("n")}],
        "watch": [{**watch, "key": db.key(watch["key"])}],
    }
    if holds:
        assert (await db("transaction", **given))["results"] == [{"value": 1}]
    else:
        failure = await db.failure("transaction", **given)
        assert (failure.kind, failure.harmless) == (K.CONFLICT, True)
        assert "watch[0]: " in failure.message
        assert (await db("exists", keys=[db.key("n")])) == {"count": 0}


async def test_a_repeated_call_asks_for_no_conditions(db):
    """The first one has itself changed what they ask for."""
    a = db.key("a")
    given = {
        "operations": [{"do": "set", "key": a, "value": "2"}],
        "watch": [{"key": a, "exists": False}],
    }
    assert (await db.twice("transaction", **given))["results"] == [{"set": True}]


async def test_what_is_watched_cannot_change_meanwhile(db):
    """Eight of them add one by hand, by what each has read. None is lost."""
    n = db.key("n")
    await db("set", key=n, value="0")

    async def add_one(number):
        for attempt in range(10_000):
            now = (await db("get", key=n))["value"]
            operation = {"do": "set", "key": n, "value": str(int(now) + 1)}
            context = Context(key=db.key(f"{number}.{attempt}"))
            try:
                return await db(
                    "transaction",
                    operations=[operation],
                    watch=[{"key": n, "equals": now}],
                    context=context,
                )
            except ToolError as exc:
                failure = exc.failure
                assert failure.harmless
                assert failure.kind in (K.CONFLICT, K.TRANSIENT)

    await asyncio.gather(*(add_one(number) for number in range(8)))
    assert (await db("get", key=n))["value"] == "8"


async def test_a_condition_on_a_key_of_another_type_is_a_conflict(db):
    await db("hash_set", key=db.key("h"), fields={"f": "x"})
    failure = await db.failure(
        "transaction",
        operations=[{"do": "incr", "key": db.key("n")}],
        watch=[{"key": db.key("h"), "equals": "x"}],
    )
    assert failure.kind is K.CONFLICT
    assert await db("exists", keys=[db.key("n")]) == {"count": 0}


async def test_a_condition_says_one_thing(db):
    for watch in ({"key": "a"}, {"key": "a", "exists": True, "equals": "x"}):
        operations = [{"do": "get", "key": db.key("a")}]
        failure = await db.failure("transaction", operations=operations, watch=[watch])
        assert failure.kind is K.INVALID
        assert "watch[0]: say either exists or equals" in failure.message


async def test_what_fails_at_its_key_is_told_with_what_was_done(db):
    await db("hash_set", key=db.key("h"), fields={"f": "x"})
    given = {
        "operations": [
            {"do": "incr", "key": db.key("n")},
            {"do": "incr", "key": db.key("h")},
            {"do": "incr", "key": db.key("m")},
        ],
        "context": Context(key=db.key("call")),
    }
    for _ in "12":
        failure = await db.failure("transaction", **given)
        assert (failure.kind, failure.harmless) == (K.CONFLICT, False)
        assert failure.message.startswith("operations[1] (incr): WRONGTYPE")
        assert failure.details["operations"][2] == {"result": {"value": 1}}
    assert (await db("mget", keys=[db.key("n"), db.key("m")]))["values"] == ["1", "1"]


async def test_what_the_server_refuses_undoes_all(db, redis_server):
    """Too many words for one command are refused before any of it is done."""
    operations = [
        {"do": "incr", "key": db.key("n")},
        {"do": "set", "key": db.key("a"), "value": "x", "expire_at": "1960-01-01T00:00:00Z"},
    ]
    failure = await db.failure("transaction", operations=operations)
    assert failure.kind is K.INVALID


async def test_a_crash_before_the_results_were_noted(db, redis_server):
    """What it did is done once; what it gave, nobody knows any more."""
    call = Context(key=db.key("call"))
    redis_server.ask("SET", f"drawloom:note:{call.key}", "", "EX", 600)
    operations = [{"do": "incr", "key": db.key("n")}]
    assert await db("transaction", operations=operations, context=call) == {"results": None}
    assert await db("exists", keys=[db.key("n")]) == {"count": 0}


@pytest.mark.parametrize(
    "operation",
    [
        {"do": "flushall"},
        {"do": "script", "code": "return 1"},
        {"do": "hash_get_all", "key": "a"},
        {"do": "get", "key": "a", "more": 1},
        {"do": "get"},
        {"key": "a"},
        "FLUSHALL",
    ],
)
def test_only_what_is_known_is_an_operation(operation):
    with pytest.raises(ValidationError):
        TRANSACTION.model.model_validate({"operations": [operation]})
