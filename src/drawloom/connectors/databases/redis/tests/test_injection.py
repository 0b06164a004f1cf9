"""Texts that would be commands, options or patterns, in every text of every tool."""

from __future__ import annotations

import itertools
from typing import Any

import jsonschema_rs
import pytest
import redis
from pydantic import ValidationError
from tests.servers.redis import start_redis

from drawloom.connectors.databases.redis import connector
from drawloom.connectors.databases.redis.connection import RedisConnection
from drawloom.connectors.databases.redis.tests.test_transactions import EVERY
from drawloom.doors import Doors
from drawloom.errors import FailureKind
from drawloom.sdk import Context, name_fault
from drawloom.sdk.contract import call_checked, read_checked

INJECTIONS = [
    "\r\nFLUSHALL\r\n",
    "*1\r\n$8\r\nFLUSHALL\r\n",
    "x\r\n*1\r\n$8\r\nFLUSHALL\r\n",
    "FLUSHALL",
    "NX",
    "GET",
    "STORE",
    "MAXLEN",
    "NOMKSTREAM",
    "STREAMS",
    "WITHSCORES",
    "LIMIT",
    "MATCH",
    "-inf",
    "+",
    "$",
    "*",
    "[a-z]*\\",
    "'; DROP TABLE t; --",
    "'.. redis.call('FLUSHALL') ..'",
    "${input.days} {{ 7*7 }} %s {0}",
    "a\0b",
    "ünï¢ödé 漢字 🧵 \u202e",
    "",
    " ",
]

GIVEN: dict[str, dict[str, Any]] = {
    **{name: given for name, given in EVERY.items() if f"redis.{name}" in connector.tools},
    "set_if_absent": {"key": "a", "value": "1"},
    "exchange": {"key": "a", "value": "1"},
    "decr": {"key": "a"},
    "scan": {"match": "a"},
    "hash_get_all": {"key": "h"},
    "hash_scan": {"key": "h", "match": "a"},
    "list_wait_pop": {"key": "l", "seconds": 0.001},
    "list_range": {"key": "l"},
    "list_move": {"source": "l", "target": "m"},
    "subscribe": {"channels": ["c"], "seconds": 0.001},
    "script": {"code": "return ARGV[1]", "keys": ["a"], "args": ["a"]},
    "set_members": {"key": "s"},
    "set_scan": {"key": "s", "match": "a"},
    "set_combine": {"how": "union", "keys": ["s"]},
    "sorted_range": {"key": "z"},
    "sorted_range_by_score": {"key": "z"},
    "sorted_range_by_name": {"key": "z", "least": "a", "most": "b"},
    "sorted_pop": {"key": "z"},
    "sorted_scan": {"key": "z", "match": "a"},
    "stream_add": {"key": "x", "fields": {"f": "1"}, "id": "*"},
    "stream_range": {"key": "x", "start": "1-0", "stop": "2-0"},
    "stream_scan": {"key": "x"},
    "stream_read": {"key": "x", "after": "0"},
    "stream_create_group": {"key": "x", "group": "g", "after": "0"},
    "stream_read_group": {"key": "x", "group": "g", "consumer": "c"},
    "stream_pending": {"key": "x", "group": "g", "consumer": "c"},
    "stream_claim": {"key": "x", "group": "g", "consumer": "c", "idle": 1, "start": "0-0"},
    "transaction": {
        "operations": [{"do": "set", "key": "a", "value": "1"}],
        "watch": [{"key": "a", "field": "f", "equals": "1"}],
    },
}


REFUSED = (None, FailureKind.INVALID, FailureKind.CONFLICT, FailureKind.MISSING)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where the texts of *value* stand."""
    if isinstance(value, str):
        return [at]
    if not isinstance(value, dict | list):
        return []
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    return [place for key, one in inner for place in places(one, (*at, key))]


def replaced(value: Any, at: tuple[Any, ...], text: str) -> Any:
    if not at:
        return text
    first, *rest = at
    copied = dict(value) if isinstance(value, dict) else list(value)
    copied[first] = replaced(value[first], tuple(rest), text)
    return copied


def test_every_tool_is_here() -> None:
    assert {f"redis.{name}" for name in GIVEN} == connector.tools.keys()


@pytest.fixture(scope="module")
def own_server():
    """A server of its own: some keys of these tests have no prefix."""
    with start_redis() as server:
        yield server


@pytest.fixture
async def client(own_server, tmp_path):
    made = RedisConnection(**own_server.settings(), allow_scripts=True)
    async with made.open(Doors(tmp_path)) as opened:
        yield opened


async def outcome(client, tool, given) -> FailureKind | None:
    """How a call ends: None where it went well."""
    made = connector.tools[f"redis.{tool}"]
    context = made.signature.context_name
    key = {context: Context(key="call")} if context else {}
    try:
        if made.streams:
            await read_checked(made, client, batch=10, **given)
        else:
            await call_checked(made, client, **given, **key)
    except (jsonschema_rs.ValidationError, ValidationError):
        return FailureKind.INVALID
    except Exception as exc:  # noqa: BLE001
        return name_fault(connector.faults, exc).kind
    return None


@pytest.mark.parametrize("tool", GIVEN)
async def test_a_text_is_only_ever_a_text(client, own_server, tool):
    # Not the words of the tool's own, nor what is code.
    free = [at for at in places(GIVEN[tool]) if at[-1] not in ("do", "how", "code")]
    assert free
    with redis.Redis(own_server.host, own_server.port) as behind:
        for at, text in itertools.product(free, INJECTIONS):
            behind.set("sentinel", "stays")
            behind.xadd("x", {"f": "1"})
            kind = await outcome(client, tool, replaced(GIVEN[tool], at, text))
            assert kind in REFUSED, (at, text)
            assert behind.get("sentinel") == b"stays", (at, text)
        assert await outcome(client, "exists", {"keys": ["sentinel"]}) is None, "in step still"
        behind.flushall()


@pytest.mark.parametrize("text", INJECTIONS)
async def test_a_text_comes_back_as_it_was(client, own_server, text):
    async def call(tool, **given):
        context = connector.tools[f"redis.{tool}"].signature.context_name
        key = {context: Context(key=f"back:{tool}")} if context else {}
        return await call_checked(connector.tools[f"redis.{tool}"], client, **given, **key)

    own_server.ask("FLUSHALL")
    await call("set", key=f"k{text}", value=text)
    assert (await call("get", key=f"k{text}"))["value"] == text
    await call("hash_set", key="h", fields={text: text})
    assert (await call("hash_get_all", key="h"))["fields"] == {text: text}
    await call("list_push", key="l", values=[text])
    assert (await call("list_pop", key="l"))["values"] == [text]
    await call("sorted_add", key="z", members=[{"member": text, "score": 0}])
    found = await call("sorted_range_by_name", key="z", least=text, most=text)
    assert found["members"] == [text]
    await call("stream_add", key="x", fields={text: text})
    assert (await call("stream_range", key="x"))["entries"][0]["fields"] == {text: text}
    found = await call("script", code="return {KEYS[1], ARGV[1]}", keys=[text], args=[text])
    assert found["result"] == [text, text]
