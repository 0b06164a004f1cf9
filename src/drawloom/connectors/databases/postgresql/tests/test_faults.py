"""Each fault provoked on a real server, by the tools' own way."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import Any

import pytest
from tests.servers.lookup import free_port
from tests.servers.postgresql import start_postgresql

from drawloom.connectors.databases.postgresql import connector
from drawloom.connectors.databases.postgresql.connection import PostgresqlConnection
from drawloom.doors import Doors
from drawloom.errors import ConnectionUnusable, Failure, FailureKind, ToolError
from drawloom.sdk import Secret, name_fault
from drawloom.sdk.contract import call_checked

QUERY = connector.tools["postgresql.query"]


async def failing(tmp_path: Path, **settings: Any) -> Failure:
    """How a first query fails with these settings."""
    async with PostgresqlConnection(**settings).open(Doors(tmp_path)) as client:
        with pytest.raises(ToolError) as raised:
            await call_checked(QUERY, client, sql="SELECT 1 AS one")
    return raised.value.failure


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("SELECT * FROM nowhere", FailureKind.MISSING),
        ("SELECT * FROM nowhere.t", FailureKind.MISSING),
        ("SELECT 1::nothing", FailureKind.MISSING),
        ("SELECT nope FROM p", FailureKind.INVALID),
        ("INSERT INTO p (id) VALUES (1)", FailureKind.CONFLICT),
        ("INSERT INTO c (id, p) VALUES (1, 99)", FailureKind.CONFLICT),
        ("INSERT INTO c (id, p) VALUES (1, NULL)", FailureKind.INVALID),
        ("INSERT INTO c (id, p, n) VALUES (1, 1, -1)", FailureKind.INVALID),
        ("CREATE TABLE p (id int)", FailureKind.CONFLICT),
        ("INSERT INTO p (id) VALUES (99999999999)", FailureKind.INVALID),
        ("COPY p FROM '/nowhere/at/all'", FailureKind.MISSING),
    ],
)
async def test_what_the_data_and_the_schema_say(db, sql, kind):
    await db("execute", sql="CREATE TABLE p (id int PRIMARY KEY)")
    await db(
        "execute",
        sql="CREATE TABLE c (id int PRIMARY KEY, p int NOT NULL REFERENCES p,"
        " n int CONSTRAINT positive CHECK (n > 0))",
    )
    await db("execute", sql="INSERT INTO p (id) VALUES (1)")
    assert (await db.failure("execute", sql=sql)).kind is kind


async def test_a_constraint_is_named(db):
    await db("execute", sql="CREATE TABLE t (id int CONSTRAINT only_one PRIMARY KEY)")
    await db("execute", sql="INSERT INTO t VALUES (1)")
    failure = await db.failure("execute", sql="INSERT INTO t VALUES (1)")
    assert failure.details["constraint_name"] == "only_one"
    assert failure.details["sqlstate"] == "23505"


async def test_a_write_through_a_query_is_denied(db):
    failure = await db.failure("query", sql="CREATE TABLE t (a int)")
    assert failure.kind is FailureKind.DENIED
    assert "postgresql.execute writes" in failure.message


async def test_permission(db):
    await db("execute", sql="CREATE TABLE t (a int)")
    sql = "DO $$ BEGIN SET LOCAL ROLE pg_monitor; PERFORM * FROM t; END $$"
    assert (await db.failure("execute", sql=sql)).kind is FailureKind.DENIED


# What cannot be had here without breaking the machine is raised by the server's own word.
@pytest.mark.parametrize(
    ("sqlstate", "kind", "harmless"),
    [
        ("53100", FailureKind.TRANSIENT, True),  # disk full
        ("53200", FailureKind.TRANSIENT, True),  # out of memory
        ("40001", FailureKind.TRANSIENT, True),
        ("40003", FailureKind.TRANSIENT, False),  # completion unknown
        ("55P03", FailureKind.TRANSIENT, True),
        ("58030", FailureKind.TRANSIENT, False),
        ("57P01", FailureKind.TRANSIENT, False),
        ("P0001", FailureKind.INVALID, False),
        ("XX000", FailureKind.DEFECT, False),
    ],
)
async def test_by_sqlstate(shared, sqlstate, kind, harmless):
    sql = f"DO $$ BEGIN RAISE EXCEPTION 'so it is' USING ERRCODE = '{sqlstate}'; END $$"
    failure = await shared.failure("execute", sql=sql)
    assert (failure.kind, failure.harmless) == (kind, harmless)


async def test_outside_a_transaction_nothing_is_proven(shared):
    sql = "DO $$ BEGIN RAISE EXCEPTION 'so it is' USING ERRCODE = '40001'; END $$"
    failure = await shared.failure("execute", sql=sql, autocommit=True)
    assert (failure.kind, failure.harmless) == (FailureKind.TRANSIENT, False)


@pytest.mark.parametrize("settings", [{"timeout": 0.1}])
async def test_a_statement_that_takes_too_long(db):
    failure = await db.failure("execute", sql="SELECT pg_sleep(3600)")
    assert (failure.kind, failure.harmless) == (FailureKind.TIMEOUT, True)
    assert await db.value("SELECT 1") == 1


async def test_a_deadlock_ends_one_of_two(db):
    await db("execute", sql="CREATE TABLE t (id int PRIMARY KEY, v int)")
    await db("execute", sql="INSERT INTO t VALUES (1, 0), (2, 0)")
    await db(
        "execute",
        # Each locks its first row, waits until the other has, and wants the other's.
        sql="CREATE FUNCTION cross_over(first int, second int) RETURNS void LANGUAGE plpgsql AS $$"
        " BEGIN UPDATE t SET v = v + 1 WHERE id = first;"
        " PERFORM pg_advisory_lock(first);"
        " WHILE (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory') < 2"
        " LOOP PERFORM pg_sleep(0.01); END LOOP;"
        " UPDATE t SET v = v + 1 WHERE id = second; END $$",
    )
    sql = "SELECT cross_over($1, $2)"
    done = await asyncio.gather(
        db("execute", sql=sql, args=[1, 2]),
        db("execute", sql=sql, args=[2, 1]),
        return_exceptions=True,
    )
    [lost] = [one for one in done if isinstance(one, Exception)]
    failure = name_fault(connector.faults, lost)
    assert (failure.kind, failure.harmless) == (FailureKind.TRANSIENT, True)
    assert await db.value("SELECT sum(v) FROM t") == 2


async def test_a_connection_that_is_killed(db, postgresql_server):
    running = asyncio.create_task(db.failure("execute", sql="SELECT pg_sleep(3600)"))
    watcher = await postgresql_server.connect()
    kill = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = $1 AND state = 'active' AND query LIKE '%pg_sleep%'"
    )
    while not await watcher.fetch(kill, db.client.settings.database):
        assert not running.done()
    failure = await running
    assert (failure.kind, failure.harmless) == (FailureKind.TRANSIENT, False)
    assert await db.value("SELECT 1") == 1, "the pool has made another one"
    await watcher.close()


@pytest.mark.parametrize("settings", [{"max_connections": 1, "acquire_timeout": 0.1}])
async def test_a_pool_that_stays_empty(db):
    async with db.client.reading():
        failure = await db.failure("execute", sql="SELECT 1")
    assert (failure.kind, failure.harmless) == (FailureKind.THROTTLED, True)


async def test_nobody_listens(tmp_path):
    settings = {"database": "x", "user": "x", "port": free_port()}
    for host in ("127.0.0.1", "localhost", "/nowhere"):
        failure = await failing(tmp_path, host=host, **settings)
        assert (failure.kind, failure.harmless) == (FailureKind.TRANSIENT, True)
        assert host in failure.message


async def test_a_database_that_is_not_there(tmp_path, postgresql_server):
    failure = await failing(tmp_path, **postgresql_server.settings("no_such_database"))
    assert (failure.kind, failure.harmless) == (FailureKind.MISSING, True)


async def test_a_server_that_goes_away(tmp_path):
    with start_postgresql() as server:
        settings = server.settings()
        staying = await server.connect()
        server.stop("smart", "-W")
        failure = await failing(tmp_path, **settings)
        while failure.kind is not FailureKind.TRANSIENT:  # it has not heard of it yet
            failure = await failing(tmp_path, **settings)
        assert failure.harmless
        assert failure.details["sqlstate"] == "57P03"
        await staying.close()


@pytest.fixture
def guarded(guarded_postgresql: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("TEST_PASSWORD", guarded_postgresql.password)
    return {**guarded_postgresql.settings(), "password": Secret(env="TEST_PASSWORD")}


async def opened(tmp_path: Path, sql: str, **settings: Any) -> Any:
    async with PostgresqlConnection(**settings).open(Doors(tmp_path)) as client:
        return (await call_checked(QUERY, client, sql=sql))["rows"]


async def test_a_password_that_is_wrong_or_missing(tmp_path, guarded, monkeypatch):
    assert await opened(tmp_path, "SELECT 1 AS one", **guarded) == [{"one": 1}]
    monkeypatch.setenv("TEST_WRONG", "canary-wrong")
    # The driver would read these by itself.
    monkeypatch.setenv("PGPASSWORD", guarded["password"].open_secret())
    for password in (Secret(env="TEST_WRONG"), None):
        failure = await failing(tmp_path, **{**guarded, "password": password})
        assert (failure.kind, failure.harmless) == (FailureKind.DENIED, True)
        assert "canary-wrong" not in str(failure)


async def test_a_password_that_is_not_set(tmp_path, guarded):
    made = PostgresqlConnection(**{**guarded, "password": Secret(env="TEST_UNSET")})
    with pytest.raises(ConnectionUnusable, match="TEST_UNSET is not set"):
        async with made.open(Doors(tmp_path)):
            pass


async def test_too_many_clients(tmp_path, guarded, guarded_postgresql):
    open_ones = []
    try:
        while len(open_ones) < 6:
            open_ones.append(await guarded_postgresql.connect())
        failure = await failing(tmp_path, **guarded)
    finally:
        for one in open_ones:
            await one.close()
    assert (failure.kind, failure.harmless) == (FailureKind.THROTTLED, True)


SSL_USED = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


async def test_tls(tmp_path, guarded, guarded_postgresql):
    if guarded_postgresql.ca_file is None:
        pytest.skip("NO OPENSSL: TLS was not tested. Install it: apt-get install openssl")
    ours = {**guarded, "ca_file": str(guarded_postgresql.ca_file)}
    assert await opened(tmp_path, SSL_USED, **guarded) == [{"ssl": False}]
    assert await opened(tmp_path, SSL_USED, tls="require", **guarded) == [{"ssl": True}]
    assert await opened(tmp_path, SSL_USED, tls="verify-ca", **ours) == [{"ssl": True}]
    by_name = {**ours, "host": "localhost"}
    assert await opened(tmp_path, SSL_USED, tls="verify-full", **by_name) == [{"ssl": True}]
    for refused in ({**ours, "tls": "verify-full"}, {**guarded, "tls": "verify-ca"}):
        failure = await failing(tmp_path, **refused)  # another name; an unknown authority
        assert (failure.kind, failure.harmless) == (FailureKind.DENIED, True)


async def test_tls_is_verified_unless_the_server_is_here(tmp_path):
    from drawloom.connectors.databases.postgresql.connection import _options

    def told(host: str) -> Any:
        made = PostgresqlConnection(host=host, database="x", user="x")
        return _options(made, tmp_path)["ssl"]

    assert [told(host) for host in ("localhost", "127.0.0.1", "::1", "/run/pg")] == [False] * 4
    assert told("db.example.org").check_hostname
    with pytest.raises(ConnectionUnusable, match=r"ca_file 'nowhere\.pem'"):
        _options(
            PostgresqlConnection(
                host="h", database="x", user="x", tls="verify-full", ca_file="nowhere.pem"
            ),
            tmp_path,
        )


async def test_check_says_how_the_server_is(tmp_path, postgresql_server):
    made = PostgresqlConnection(**postgresql_server.settings())
    async with made.open(Doors(tmp_path)) as client:
        said = await made.check(client)
    assert said["standby"] is False
    assert int(said["version"].split(".")[0]) >= 13
    assert said["latency_ms"] > 0
    assert (said["superuser"], said["roles"]) == (True, [])
    assert "CREATE ON SCHEMA public" in said["rights"]


async def test_check_says_what_the_user_may_do(tmp_path, postgresql_server, postgresql):
    name = f"reader_{uuid.uuid4().hex}"
    admin = await postgresql_server.connect(postgresql["database"])
    await admin.execute(
        f"CREATE ROLE {name} LOGIN IN ROLE pg_monitor; CREATE SCHEMA own;"
        " REVOKE ALL ON SCHEMA public FROM PUBLIC; REVOKE TEMP ON DATABASE"
        f" {postgresql['database']} FROM PUBLIC; GRANT CREATE, USAGE ON SCHEMA own TO {name};"
        f" ALTER ROLE {name} SET search_path = public, own"
    )
    try:
        made = PostgresqlConnection(**{**postgresql, "user": name})
        async with made.open(Doors(tmp_path)) as client:
            said = await made.check(client)
    finally:
        await admin.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")
        await admin.close()
    assert (said["user"], said["superuser"], said["may_create_schemas"]) == (name, False, False)
    assert "pg_monitor" in said["roles"]
    assert said["rights"] == [
        f"CONNECT ON DATABASE {postgresql['database']}",
        *("USAGE ON SCHEMA own", "CREATE ON SCHEMA own"),
    ]
