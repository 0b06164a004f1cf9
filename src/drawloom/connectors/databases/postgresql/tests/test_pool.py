"""The pool on a real server: broken, old and busy connections."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from tests.servers.postgresql import start_postgresql

from drawloom.chains import load
from drawloom.connectors.databases.postgresql import server, statements
from drawloom.connectors.databases.postgresql.connection import PostgresqlConnection
from drawloom.connectors.databases.postgresql.faults import FAULTS
from drawloom.connectors.databases.postgresql.tests.conftest import Caller
from drawloom.doors import Doors
from drawloom.errors import FailureKind
from drawloom.project import Project
from drawloom.sdk import name_fault, pooling

PID = "SELECT pg_backend_pid()"


async def test_one_that_is_young_is_used_again(db):
    assert await db.value(PID) == await db.value(PID)


@pytest.mark.parametrize("settings", [{"lifetime": 1e-9}])
async def test_one_that_is_old_is_not_used_again(db):
    first = await db.value(PID)
    assert await db.value(PID) != first
    state = db.client.pool.state
    assert state.idle == 0


async def test_one_that_is_broken_in_use_is_not_handed_out_again(db, postgresql_server):
    async with db.client._line() as line:
        connection = line.connection
        first = connection.get_server_pid()
        other = await postgresql_server.connect()
        await other.execute("SELECT pg_terminate_backend($1)", first)
        with pytest.raises(Exception) as raised:
            await connection.fetch("SELECT 1")
        assert name_fault(FAULTS, raised.value).kind is FailureKind.TRANSIENT
        await other.close()
    assert await db.value(PID) != first


class Firewall:
    """What stands between client and server, and can fall silent for what is connected."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.open: list[dict[str, bool]] = []
        self.serving: list[asyncio.Task[Any]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.serving.append(asyncio.current_task())  # type: ignore[arg-type]
        there, back = await asyncio.open_connection("127.0.0.1", self.port)
        passing = {"on": True}
        self.open.append(passing)
        await asyncio.gather(self._pass(reader, back, passing), self._pass(there, writer, passing))

    async def _pass(self, source: Any, sink: Any, passing: dict[str, bool]) -> None:
        try:
            while data := await source.read(65_536):
                if passing["on"]:
                    sink.write(data)
        finally:
            sink.close()
            await sink.wait_closed()

    def fall_silent(self) -> None:
        for passing in self.open:
            passing["on"] = False


async def test_one_that_lay_and_no_longer_answers_is_replaced(
    postgresql: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pooling, "QUIET", 0.0)
    monkeypatch.setattr(server, "_ANSWER", 0.1)
    wall = Firewall(postgresql["port"])
    listener = await asyncio.start_server(wall.serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    settings = PostgresqlConnection(**{**postgresql, "host": "127.0.0.1", "port": port})
    async with settings.open(Doors(tmp_path)) as client:
        db = Caller(client)
        first = await db.value(PID)
        assert await db.value(PID) == first, "it answers"
        wall.fall_silent()
        assert await db.value(PID) != first
        assert client.pool.state.size == 1
    listener.close()
    await asyncio.gather(*wall.serving, return_exceptions=True)


@pytest.mark.parametrize("settings", [{"max_connections": 1}])
async def test_its_state_is_told(db):
    assert db.client.pool.state == (0, 0, 0)
    async with db.client.reading():
        waiting = asyncio.create_task(db.value("SELECT 1"))
        while not db.client.pool.state.waiting:
            await asyncio.wait([waiting], timeout=0)
        assert db.client.pool.state == (1, 0, 1)
    assert await waiting == 1
    assert db.client.pool.state == (1, 1, 0)


CHAIN = """
chain: c
connections: {db: postgresql}
steps:
  each:
    use: postgresql.upsert
    on: db
    for_each: "${[1..300]}"
    concurrency: 4
    with: {table: t, rows: [{id: "${item}"}], key: [id]}
    retry: {attempts: 50, delay: 50ms, max_delay: 200ms}
"""


@pytest.mark.slow
async def test_a_restart_of_the_server_heals_without_a_failed_call(tmp_path: Path) -> None:
    with start_postgresql() as server:
        connection = await server.connect()
        await connection.execute("CREATE TABLE t (id int PRIMARY KEY)")
        (tmp_path / "drawloom.toml").write_text(
            f'[connections.db]\nkind = "postgresql"\nhost = "127.0.0.1"\nport = {server.port}\n'
            'user = "postgres"\ndatabase = "postgres"\n'
        )
        project = Project.find(tmp_path)
        async with project.engine(durability="memory") as engine:
            running = asyncio.create_task(engine.run(project.checked_plan(load(CHAIN)), {}))
            while await connection.fetchval("SELECT count(*) FROM t") < 50:
                assert not running.done()
            await connection.close()
            await asyncio.to_thread(server.stop, "immediate")
            assert not running.done(), "it was over before the fault"
            await asyncio.to_thread(server.start)
            back = time.monotonic()
            connection = await server.connect()
            before = await connection.fetchval("SELECT count(*) FROM t")
            while await connection.fetchval("SELECT count(*) FROM t") == before:
                assert time.monotonic() - back < 5, "it has not healed"
            result = await running
        assert result.status == "succeeded", result.failure
        assert await connection.fetchval("SELECT count(*) FROM t") == 300
        await connection.close()


async def test_a_statement_that_was_prepared_survives_a_change_of_the_schema(db):
    await db("execute", sql="CREATE TABLE t (id int, v int)")
    await db("execute", sql="INSERT INTO t VALUES (1, 2)")
    sql = "SELECT * FROM t WHERE id = $1"
    async with db.client.reading():  # the other connection is taken: one alone is used below
        assert await db.rows(sql, 1) == [{"id": 1, "v": 2}]
        await db("execute", sql="ALTER TABLE t ALTER v TYPE text, ADD w int8")
        assert await db.rows(sql, 1) == [{"id": 1, "v": "2", "w": None}]
        await db("execute", sql="ALTER TABLE t RENAME v TO x")
        assert await db.rows(sql, 1) == [{"id": 1, "x": "2", "w": None}]
        await db("execute", sql="DROP TABLE t")
        assert (await db.failure("query", sql=sql, args=[1])).kind is FailureKind.MISSING


async def test_only_so_many_statements_are_kept(db, monkeypatch):
    monkeypatch.setattr(statements, "_KEPT", 3)
    monkeypatch.setattr(statements, "_LONGEST", 30)
    async with db.client.reading():
        for number in (*range(5), "'no more than thirty characters'"):
            assert await db.rows(f"SELECT {number} AS a")
        async with db.client._line() as line:
            kept = line.statements._kept
            assert list(kept) == [f"SELECT {number} AS a" for number in (2, 3, 4)]
            gone = "SELECT count(*) FROM pg_prepared_statements WHERE statement ~ '^SELECT . AS a'"
            assert await line.connection.fetchval(gone) == 3, "the server keeps what we dropped"


@pytest.mark.parametrize(
    ("sql", "plain"),
    [
        ("SELECT a FROM t WHERE id IN ($1, $2) AND lower(b) = 'x'", True),
        ("SELECT a FROM t WHERE b = 'x (y)'", False),
        ("SELECT pg_advisory_lock/**/(1)", False),
        ("SELECT pg_advisory_lock -- of\n (1)", False),
        ("with q as (select count(*) from t) select * from q", True),
        ("SELECT set_config('role', 'x', false)", False),
        ("SELECT pg_advisory_lock (1)", False),
        ('SELECT "lower"(b) FROM t', False),
        ("SELECT own.lower(b) FROM t", False),
        ("SET search_path = x", False),
        ("EXPLAIN ANALYZE SELECT 1", False),
        ("/* SELECT */ DISCARD ALL", False),
    ],
)
def test_what_leaves_nothing_behind(sql, plain):
    assert statements.is_plain(sql) is plain


async def test_what_a_query_sets_is_undone(db):
    async with db.client.reading():
        first = await db.value(PID)
        for setting in ("search_path", "default_transaction_read_only", "TimeZone"):
            before = await db.value("SELECT current_setting($1) AS a", setting)
            value = "off" if "only" in setting else "UTC+3"
            await db.value("SELECT set_config($1, $2, false) AS a", setting, value)
            assert await db.value("SELECT current_setting($1) AS a", setting) == before
        await db.value("SELECT pg_advisory_lock(7) IS NULL AS a")
        assert await db.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0
        assert await db.value(PID) == first
        failure = await db.failure("query", sql="CREATE TABLE t (id int)")
        assert failure.kind is FailureKind.DENIED


async def test_a_query_that_is_given_up_leaves_a_sound_connection(db):
    async with db.client.reading():
        first = await db.value(PID)
        sleeping = asyncio.create_task(db.value("SELECT pg_sleep(600) IS NULL AS a"))
        other = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%sleep(6%' AND pid = $1"
        async with db.client.reading() as watching:
            while not await watching.fetchval(other, first):
                await asyncio.wait([sleeping], timeout=0)
        sleeping.cancel()
        await asyncio.gather(sleeping, return_exceptions=True)
        assert await db.value(PID) == first


@pytest.mark.parametrize("settings", [{"max_connections": 1}])
async def test_what_is_nested_too_deep_is_refused_by_its_column(db):
    deep = "[" * 196 + "]" * 196
    failure = await db.failure("query", sql="SELECT $1::jsonb AS a", args=[json.loads(deep)])
    assert (failure.kind, "'a'" in failure.message) == (FailureKind.INVALID, True)
    assert await db.value("SELECT $1::jsonb AS a", json.loads(deep[1:-1]))
