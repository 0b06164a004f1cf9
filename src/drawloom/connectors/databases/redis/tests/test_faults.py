"""Each fault provoked on a real server, by the tools' own way."""

from __future__ import annotations

import asyncio
import shutil
import socket
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import RedisError
from tests.servers.lookup import free_port
from tests.servers.redis import clients, start_redis, until, waits

from drawloom.connectors.databases.redis import connector
from drawloom.connectors.databases.redis.connection import RedisConnection
from drawloom.connectors.databases.redis.tests.conftest import Caller
from drawloom.doors import Doors
from drawloom.errors import ConnectionUnusable, Failure, FailureKind
from drawloom.sdk import Secret, name_fault
from drawloom.sdk.contract import call_checked
from drawloom.sdk.tls import tls_context

pytestmark = pytest.mark.slow  # each test starts a server of its own

K = FailureKind
GET = connector.tools["redis.get"]


async def failing(tmp_path: Path, tool: str = "get", **settings: Any) -> Failure:
    """How a first call fails with these settings."""
    given = {"get": {"key": "a"}, "set": {"key": "a", "value": "x"}}[tool]
    async with RedisConnection(**settings).open(Doors(tmp_path)) as client:
        return await Caller(client).failure(tool, **given)


async def got(tmp_path: Path, **settings: Any) -> Any:
    async with RedisConnection(**settings).open(Doors(tmp_path)) as client:
        return await call_checked(GET, client, key="a")


NOTHING = {"value": None, "found": False}


@pytest.mark.parametrize(
    ("tool", "given"),
    [
        ("get", {}),
        ("incr", {}),
        ("exchange", {"value": "x"}),
        ("hash_set", {"fields": {"a": "1"}}),
        ("hash_incr", {"field": "a"}),
        ("list_push", {"values": ["a"]}),
        ("list_pop", {}),
        ("list_wait_pop", {"seconds": 0.01}),
        ("set_add", {"members": ["a"]}),
        ("set_members", {}),
        ("sorted_add", {"members": [{"member": "a", "score": 1}]}),
        ("sorted_incr", {"member": "a"}),
        ("sorted_pop", {}),
        ("sorted_range", {}),
        ("stream_range", {}),
        ("stream_create_group", {"group": "g"}),
    ],
)
async def test_a_key_of_another_type_is_a_conflict_and_stays(db, redis_server, tool, given):
    key = db.key("a")
    if tool in ("get", "incr", "exchange"):
        redis_server.ask("RPUSH", key, "kept")
    else:
        redis_server.ask("SET", key, "kept")
    failure = await db.failure(tool, key=key, **given)
    assert failure.kind is K.CONFLICT
    assert "WRONGTYPE" in failure.message
    kind = redis_server.ask("TYPE", key)
    assert kind == (b"list" if tool in ("get", "incr", "exchange") else b"string")


async def test_nobody_listens(tmp_path):
    for host in ("127.0.0.1", "localhost"):
        port = free_port()
        failure = await failing(tmp_path, host=host, port=port)
        assert (failure.kind, failure.harmless) == (K.TRANSIENT, True)
        assert f"{host}:{port}" in failure.message


async def test_a_name_that_is_not_there(tmp_path):
    failure = await failing(tmp_path, host="nowhere.invalid", tls="off")
    assert (failure.kind, failure.harmless) == (K.TRANSIENT, True)


async def test_a_database_that_is_not_there(tmp_path, redis_server):
    failure = await failing(tmp_path, **redis_server.settings(), database=1_000_000)
    assert (failure.kind, failure.harmless) == (K.INVALID, True)
    assert "DB index is out of range" in failure.message


async def test_another_database(tmp_path):
    with start_redis() as server:
        server.ask("SET", "a", "in 0")
        assert await got(tmp_path, **server.settings(), database=3) == NOTHING
        assert (await got(tmp_path, **server.settings()))["value"] == "in 0"


async def test_a_password_that_is_wrong_or_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("TEST_PASSWORD", "canary-right")
    monkeypatch.setenv("TEST_WRONG", "canary-wrong")
    with start_redis(password="canary-right") as server:
        given = server.settings()
        assert await got(tmp_path, **given, password=Secret(env="TEST_PASSWORD")) == NOTHING
        for password in (Secret(env="TEST_WRONG"), None):
            failure = await failing(tmp_path, **given, password=password)
            assert (failure.kind, failure.harmless) == (K.DENIED, True)
            assert "canary" not in str(failure)
    unset = RedisConnection(**given, password=Secret(env="TEST_UNSET"))
    with pytest.raises(ConnectionUnusable, match="TEST_UNSET is not set"):
        async with unset.open(Doors(tmp_path)):
            pass


async def test_what_a_user_may_not_do(tmp_path, monkeypatch):
    monkeypatch.setenv("TEST_PASSWORD", "canary-ada")
    with start_redis() as server:
        server.ask("ACL", "SETUSER", "ada", "on", ">canary-ada", "~mine:*", "+@all", "-incrby")
        made = RedisConnection(
            **server.settings(), user="ada", password=Secret(env="TEST_PASSWORD")
        )
        async with made.open(Doors(tmp_path)) as client:
            call = Caller(client)
            said = await made.check(client)
            assert (said["user"], said["rights"]["keys"]) == ("ada", "~mine:*")
            server.ask("ACL", "SETUSER", "ada", "-acl|getuser")
            assert (await made.check(client))["rights"] is None
            assert await call("set", key="mine:a", value="1") == {"set": True}
            failure = await call.failure("get", key="others:a")
            assert failure.kind is K.DENIED
            # Refused inside MULTI: nothing of it is done, and the reason is told.
            operations = [
                {"do": "set", "key": "mine:a", "value": "2"},
                {"do": "incr", "key": "mine:a"},
            ]
            server.ask("ACL", "SETUSER", "ada", "~drawloom:note:*")
            failure = await call.failure("transaction", operations=operations)
            assert failure.kind is K.DENIED
            assert "incrby" in failure.message
            assert (await call("get", key="mine:a"))["value"] == "1"


@pytest.mark.parametrize("settings", [{"timeout": 0.5}])
async def test_a_server_that_does_not_answer(tmp_path, settings):
    with start_redis() as server:
        async with RedisConnection(**server.settings(), **settings).open(
            Doors(tmp_path)
        ) as client:
            call = Caller(client)
            await call("set", key="a", value="x")
            server.ask("CLIENT", "PAUSE", 600_000, "WRITE")
            failure = await call.failure("set", key="a", value="y")
            assert (failure.kind, failure.harmless) == (K.TIMEOUT, False)
            assert "gave no answer within 0.5 s" in failure.message
            server.ask("CLIENT", "UNPAUSE")
            # The server still had it before it, and may carry it out now.
            assert (await call("get", key="a"))["value"] in ("x", "y")


async def test_a_server_that_takes_the_call_and_says_nothing(tmp_path):
    left = asyncio.Event()

    async def silent(reader: Any, writer: Any) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        left.set()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    failure = await failing(tmp_path, port=port, host="127.0.0.1", connect_timeout=0.2)
    assert (failure.kind, failure.harmless) == (K.TRANSIENT, True)
    assert "not reached in 0.2 s" in failure.message
    await left.wait()
    server.close()
    await server.wait_closed()


async def test_a_connection_that_is_killed_under_way(db, redis_server):
    waiting = asyncio.create_task(db.failure("list_wait_pop", key=db.key("l"), seconds=600))
    await until(lambda: waits(redis_server, db.client))
    for one in clients(redis_server, db.client):
        redis_server.ask("CLIENT", "KILL", "ID", one["id"])
    failure = await waiting
    assert (failure.kind, failure.harmless) == (K.TRANSIENT, False)
    assert await db("exists", keys=[db.key("l")]) == {"count": 0}


async def test_a_connection_that_was_killed_while_idle_is_not_handed_out(db, redis_server):
    await db("exists", keys=[db.key("a")])
    for turn in range(20):
        for one in clients(redis_server, db.client):
            redis_server.ask("CLIENT", "KILL", "ID", one["id"])
        await until(lambda: not clients(redis_server, db.client))
        assert await db("exists", keys=[db.key("a")]) == {"count": 0}, turn


@pytest.mark.parametrize("settings", [{"idle_timeout": 1e-9}, {"lifetime": 1e-9}])
async def test_connections_are_not_kept_for_ever(db, redis_server, settings):
    await asyncio.gather(*(db("exists", keys=[db.key("a")]) for _ in range(2)))
    await until(lambda: not clients(redis_server, db.client))
    assert db.client.pool.state.size == 0


@pytest.mark.parametrize("settings", [{"min_connections": 2}])
async def test_connections_that_are_kept_open(db, redis_server):
    await db("exists", keys=[db.key("a")])
    assert len(clients(redis_server, db.client)) == 2


@pytest.mark.parametrize("settings", [{"max_connections": 1, "acquire_timeout": 0.1}])
async def test_a_pool_that_stays_empty(db):
    async with db.client.line():
        failure = await db.failure("get", key=db.key("a"))
    assert (failure.kind, failure.harmless) == (K.THROTTLED, True)
    assert "max_connections" in failure.message
    assert await db("get", key=db.key("a")) == NOTHING


@pytest.mark.parametrize("settings", [{"max_connections": 1}])
async def test_calls_that_are_ended_give_their_connections_back(db):
    for _ in range(50):
        call = asyncio.create_task(db("list_wait_pop", key=db.key("l"), seconds=600))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert await db("get", key=db.key("a")) == NOTHING


async def test_too_many_clients(tmp_path):
    with start_redis("--maxclients", "3") as server, ExitStack() as held:
        places = 3
        while places:  # one may still be that of whoever looked whether the server listens
            one = held.enter_context(socket.create_connection((server.host, server.port)))
            with suppress(ConnectionError):  # refused already
                one.sendall(b"PING\r\n")
                places -= one.recv(5) == b"+PONG"
        failure = await failing(tmp_path, **server.settings())
        assert (failure.kind, failure.harmless) == (K.THROTTLED, True)


async def test_a_replica_only_reads(tmp_path):
    with start_redis("--replicaof", "127.0.0.1", str(free_port())) as server:
        made = RedisConnection(**server.settings())
        async with made.open(Doors(tmp_path)) as client:
            assert (await made.check(client))["role"] == "replica"
            assert await Caller(client)("get", key="a") == NOTHING
        failure = await failing(tmp_path, "set", **server.settings())
        assert (failure.kind, failure.harmless) == (K.DENIED, True)


async def test_a_replica_without_its_master(tmp_path):
    options = ("--replicaof", "127.0.0.1", str(free_port()), "--replica-serve-stale-data", "no")
    with start_redis(*options) as server:
        failure = await failing(tmp_path, **server.settings())
        assert (failure.kind, failure.harmless) == (K.TRANSIENT, True)


async def test_a_server_without_memory(tmp_path):
    with start_redis("--maxmemory", "1", "--maxmemory-policy", "noeviction") as server:
        failure = await failing(tmp_path, "set", **server.settings())
        assert (failure.kind, failure.harmless) == (K.TRANSIENT, True)


async def test_a_server_that_cannot_write_to_its_disk(tmp_path):
    folder = tmp_path / "gone"
    folder.mkdir()
    with start_redis("--save", "3600 1", "--dir", str(folder)) as server:
        server.ask("SET", "a", "x")
        shutil.rmtree(folder)
        server.ask("BGSAVE")
        failed = "rdb_last_bgsave_status"
        await until(lambda: server.ask("INFO", "persistence")[failed] == "err")
        failure = await failing(tmp_path, "set", **server.settings())
        assert (failure.kind, failure.harmless) == (K.TRANSIENT, True)
        assert "MISCONF" in failure.message
        assert (await got(tmp_path, **server.settings()))["value"] == "x"


def busy(server: Any) -> bool:
    try:
        return not server.ask("PING")
    except RedisError as exc:
        return "BUSY" in str(exc)


async def test_a_server_that_a_script_holds(tmp_path):
    with start_redis("--lua-time-limit", "1") as server:
        running = asyncio.create_task(
            asyncio.to_thread(server.ask, "EVAL", "while true do end", 0)
        )
        await until(lambda: busy(server))
        failure = await failing(tmp_path, **server.settings())
        assert (failure.kind, failure.harmless) == (K.TRANSIENT, True)
        server.ask("SCRIPT", "KILL")
        with pytest.raises(RedisError):
            await running


def reply(text: str) -> Exception:
    """The driver's exception for a reply that cannot be had here without breaking a server."""
    from redis._parsers.base import BaseParser

    made: Exception = BaseParser.parse_error(text)
    return made


@pytest.mark.parametrize(
    ("text", "kind", "harmless"),
    [
        ("LOADING Redis is loading the dataset in memory", K.TRANSIENT, True),
        ("NOREPLICAS Not enough good replicas to write.", K.TRANSIENT, True),
        ("MOVED 1 127.0.0.1:1", K.INVALID, False),
        ("CROSSSLOT Keys in request don't hash to the same slot", K.INVALID, False),
        ("CLUSTERDOWN The cluster is down", K.TRANSIENT, True),
        ("NOSCRIPT No matching script", K.MISSING, False),
        ("UNKNOWNWORD so it is", K.DEFECT, False),
    ],
)
def test_by_the_word_of_the_reply(text, kind, harmless):
    failure = name_fault(connector.faults, reply(text))
    assert (failure.kind, failure.harmless) == (kind, harmless)


async def test_tls(tmp_path):
    with start_redis(tls=True) as server:
        given = {"host": "127.0.0.1", "port": server.port}
        ours = {**given, "ca_file": str(server.ca_file)}
        for good in (
            {**given, "tls": "require"},
            {**ours, "tls": "verify-ca"},
            {**ours, "tls": "verify-full", "host": "localhost"},
        ):
            assert await got(tmp_path, **good) == NOTHING
        for refused in ({**ours, "tls": "verify-full"}, {**given, "tls": "verify-ca"}):
            failure = await failing(tmp_path, **refused)  # another name; an unknown authority
            assert (failure.kind, failure.harmless) == (K.DENIED, True)
        failure = await failing(tmp_path, **given, connect_timeout=0.5)
        assert (failure.kind, failure.harmless) == (K.TRANSIENT, True)
        made = RedisConnection(**ours, tls="verify-ca")
        async with made.open(Doors(tmp_path)) as client:
            assert (await made.check(client))["tls"] is True


def test_tls_is_verified_unless_the_server_is_here(tmp_path):
    def told_by(settings: RedisConnection) -> Any:
        return tls_context(settings.tls, settings.host, settings.ca_file, tmp_path)

    for host in ("localhost", "127.0.0.1", "::1"):
        assert told_by(RedisConnection(host=host)) is None
    told = told_by(RedisConnection(host="cache.example.org"))
    assert told is not None
    assert told.check_hostname
    with pytest.raises(ConnectionUnusable, match=r"ca_file 'nowhere\.pem'"):
        told_by(RedisConnection(host="h", ca_file="nowhere.pem"))


async def test_check_says_how_the_server_is(db):
    said = await db.client.settings.check(db.client)
    assert said["server"] in ("redis", "valkey")
    assert int(said["version"].split(".")[0]) >= 6
    assert (said["role"], said["user"], said["tls"]) == ("master", "default", False)
    assert said["latency_ms"] > 0
    assert said["rights"] == {"commands": "+@all", "keys": "~*", "channels": "&*"}


@pytest.mark.parametrize("client_name", ["a b", "ü", "a\r\nFLUSHALL"])
def test_a_name_of_the_client_that_the_server_would_refuse(client_name):
    with pytest.raises(ValueError, match="client_name"):
        RedisConnection(client_name=client_name)


async def test_a_client_that_is_closed_meanwhile(tmp_path, redis_server):
    """What is under way ends; its connection is closed when it comes back."""
    made = RedisConnection(**redis_server.settings(), client_name="drawloom-closing")
    async with made.open(Doors(tmp_path)) as client:
        waiting = asyncio.create_task(
            Caller(client, "drawloom-test:closing:")("list_wait_pop", key="no", seconds=0.3)
        )
        await until(lambda: waits(redis_server, client))
    assert await waiting == {"values": []}
    await until(lambda: not clients(redis_server, client))
