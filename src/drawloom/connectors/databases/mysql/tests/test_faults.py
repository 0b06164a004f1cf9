"""Each fault provoked on a real server, by the tools' own way."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from tests.servers.lookup import free_port
from tests.servers.mysql import MysqlServer, start_mysql

from drawloom.connectors.databases.mysql import connector
from drawloom.connectors.databases.mysql.connection import MysqlConnection
from drawloom.doors import Doors
from drawloom.errors import ConnectionUnusable, Failure, FailureKind, ToolError
from drawloom.sdk import Secret, name_fault
from drawloom.sdk.contract import call_checked

QUERY = connector.tools["mysql.query"]
EXECUTE = connector.tools["mysql.execute"]


async def failing(tmp_path: Path, **settings: Any) -> Failure:
    """How a first query fails with these settings."""
    async with MysqlConnection(**settings).open(Doors(tmp_path)) as client:
        with pytest.raises(ToolError) as raised:
            await call_checked(QUERY, client, sql="SELECT 1 AS one")
    return raised.value.failure


WRONG = [
    ("SELECT * FROM nowhere", FailureKind.MISSING),
    ("SELECT * FROM nowhere.t", FailureKind.MISSING),
    ("SELECT nope FROM p", FailureKind.INVALID),
    ("SELECT nope(1)", FailureKind.MISSING),
    ("SELEC 1", FailureKind.INVALID),
    ("INSERT INTO p (id) VALUES (1)", FailureKind.CONFLICT),
    ("INSERT INTO c (id, p) VALUES (1, 99)", FailureKind.CONFLICT),
    ("DELETE FROM p WHERE id = 2", FailureKind.CONFLICT),
    ("INSERT INTO c (id, p) VALUES (1, NULL)", FailureKind.INVALID),
    ("INSERT INTO c (id) VALUES (1)", FailureKind.INVALID),
    ("INSERT INTO c (id, p, n) VALUES (1, 1, -1)", FailureKind.INVALID),
    ("INSERT INTO p (id) VALUES (99999999999)", FailureKind.INVALID),
    ("INSERT INTO p (id) VALUES (1/0)", FailureKind.INVALID),
    ("INSERT INTO p (id) VALUES (1, 2)", FailureKind.INVALID),
    ("CREATE TABLE p (id int)", FailureKind.CONFLICT),
    ("DROP TABLE nowhere", FailureKind.MISSING),
    ("CALL nowhere()", FailureKind.MISSING),
    ("SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not today'", FailureKind.INVALID),
]


async def test_what_the_data_and_the_schema_say(db):
    await db.run(
        "CREATE TABLE p (id int PRIMARY KEY)",
        "CREATE TABLE c (id int PRIMARY KEY, p int NOT NULL, n int CHECK (n > 0),"
        " FOREIGN KEY (p) REFERENCES p (id))",
        "INSERT INTO p VALUES (1), (2)",
        "INSERT INTO c VALUES (5, 2, 1)",
    )
    for sql, kind in WRONG:
        failure = await db.failure("execute", sql=sql)
        assert (failure.kind, failure.harmless) == (kind, False), (sql, failure)
        assert "errno" in (failure.details or {}), sql


async def test_permission(db, mysql_server):
    name = f"drawloom_{os.getpid()}"
    database = db.client.settings.database
    await mysql_server.run(
        f"CREATE OR REPLACE USER {name}@'%' IDENTIFIED BY ''",
        f"CREATE TABLE {database}.t (a int, b int)",
        f"GRANT SELECT (a) ON {database}.t TO {name}@'%'",
    )
    made = db.client.settings.model_copy(update={"user": name})
    try:
        async with made.open(Doors(Path("/"))) as client:
            for tool, sql in [
                (EXECUTE, "INSERT INTO t VALUES (1, 2)"),
                (QUERY, "SELECT b FROM t"),
            ]:
                with pytest.raises(Exception) as raised:
                    await call_checked(tool, client, sql=sql)
                assert name_fault(connector.faults, raised.value).kind is FailureKind.DENIED
            said = await made.check(client)
        assert any("GRANT SELECT" in right for right in said["rights"])
        failure = await failing(Path("/"), **{**made.model_dump(), "database": "mysql"})
        assert (failure.kind, failure.harmless) == (FailureKind.DENIED, True)
    finally:
        await mysql_server.run(f"DROP USER {name}@'%'")


@pytest.mark.parametrize("settings", [{"timeout": 0.1}])
async def test_a_statement_that_takes_too_long(db):
    await db.run("CREATE TABLE t (id int)", "INSERT INTO t VALUES (1)")
    slow = "SELECT COUNT(*) AS n FROM seq_1_to_100000 AS a JOIN seq_1_to_100000 AS b"
    for tool, sql in [("query", slow), ("execute", f"UPDATE t SET id = ({slow})")]:
        failure = await db.failure(tool, sql=sql)
        assert failure.kind is FailureKind.TIMEOUT, tool
        assert await db.value("SELECT COUNT(*) FROM t WHERE id = 1") == 1
    assert failure.harmless, "the write was rolled back"


@pytest.mark.parametrize("settings", [{"timeout": 1.0}])
async def test_a_lock_that_another_has(db):
    await db.run("CREATE TABLE t (id int PRIMARY KEY, v int)", "INSERT INTO t VALUES (1, 0)")
    async with db.client.writing() as session:
        await session.run("UPDATE t SET v = 1")
        failure = await db.failure("execute", sql="UPDATE t SET v = 2")
    assert failure.harmless
    assert failure.kind in (FailureKind.TIMEOUT, FailureKind.TRANSIENT)
    assert await db.value("SELECT v FROM t") == 1


async def test_a_table_that_cannot_roll_back_proves_nothing(db):
    """Two of the three rows stay, and the failure does not say that nothing happened."""
    await db.run(
        "CREATE TABLE m (id int) ENGINE = MyISAM",
        "CREATE TABLE t (id int PRIMARY KEY)",
        "CREATE TRIGGER late BEFORE INSERT ON m FOR EACH ROW IF NEW.id = 3 THEN"
        " SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 1213; END IF",
    )
    failure = await db.failure("execute", sql="INSERT INTO m VALUES (1), (2), (3)")
    assert (failure.kind, failure.harmless) == (FailureKind.TRANSIENT, False)
    assert await db.value("SELECT COUNT(*) FROM m") == 2
    await db.run("CREATE TRIGGER same BEFORE INSERT ON t FOR EACH ROW"
                 " SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 1213")  # fmt: skip
    failure = await db.failure("execute", sql="INSERT INTO t VALUES (1)")
    assert (failure.kind, failure.harmless) == (FailureKind.TRANSIENT, True)


# What cannot be had here without breaking the machine is raised by the server's own word.
@pytest.mark.parametrize(
    ("number", "kind", "harmless"),
    [
        (1021, FailureKind.TRANSIENT, True),  # disk full
        (1114, FailureKind.TRANSIENT, True),  # the table is full
        (1041, FailureKind.TRANSIENT, True),  # out of memory
        (1205, FailureKind.TRANSIENT, True),
        (1053, FailureKind.TRANSIENT, False),  # shutting down
        (3024, FailureKind.TIMEOUT, True),
        (1226, FailureKind.THROTTLED, True),
        (1290, FailureKind.DENIED, False),  # --read-only
        (1999, FailureKind.DEFECT, False),
    ],
)
async def test_by_number(shared, number, kind, harmless):
    sql = f"BEGIN NOT ATOMIC SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = {number}; END"
    with pytest.raises(ToolError) as raised:
        async with shared.client.writing() as session:
            await session.run(sql)
    failure = raised.value.failure
    assert (failure.kind, failure.harmless) == (kind, harmless)
    with pytest.raises(ToolError) as raised:
        async with shared.client.committing() as session:
            await session.run(sql)
    assert not raised.value.failure.harmless, "outside a transaction nothing is proven"


async def test_a_connection_that_is_killed(db, mysql_server):
    running = asyncio.create_task(db.failure("execute", sql="SELECT SLEEP(3600)"))
    listed = (
        "SELECT ID FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT SLEEP%'"
        f" AND DB = '{db.client.settings.database}'"
    )
    while not (found := await mysql_server.run(listed)):
        assert not running.done()
    await mysql_server.run(f"KILL {found[0][0]}")
    failure = await running
    assert (failure.kind, failure.harmless) == (FailureKind.TRANSIENT, False)
    assert await db.value("SELECT 1") == 1, "the pool has made another one"


@pytest.mark.parametrize("settings", [{"max_connections": 1}])
async def test_a_call_that_is_cancelled_leaves_its_place(db):
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(db("query", sql="SELECT SLEEP(3600)"), 0.2)
    assert await db.value("SELECT 1") == 1


@pytest.mark.parametrize("settings", [{"max_connections": 1, "acquire_timeout": 0.1}])
async def test_a_pool_that_stays_empty(db):
    async with db.client.reading():
        failure = await db.failure("execute", sql="SELECT 1")
    assert (failure.kind, failure.harmless) == (FailureKind.THROTTLED, True)


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"max_connections": 20}])
async def test_a_thousand_calls_on_a_pool_of_twenty(db):
    values = await asyncio.gather(*(db.value("SELECT ? AS n", n) for n in range(1_000)))
    assert values == list(range(1_000))
    assert db.client.pool.state.size <= 20


@pytest.mark.parametrize(
    ("settings", "same"),
    [
        ({"lifetime": 1e-9}, False),
        ({"idle_timeout": 1e-9}, False),
        ({"idle_timeout": 1e-9, "min_connections": 1}, True),
        ({}, True),
    ],
)
async def test_how_long_a_connection_is_kept(db, settings, same):
    first = await db.value("SELECT CONNECTION_ID()")
    gone = asyncio.Event()
    db.client.pool.watch(lambda state: None if state.size else gone.set())
    if not same:
        await gone.wait()
    assert (await db.value("SELECT CONNECTION_ID()") == first) is same


async def test_nobody_listens(tmp_path, driver):
    settings = {"database": "x", "user": "x", "port": free_port(), "driver": driver}
    for host in ("127.0.0.1", "localhost", "/nowhere"):
        failure = await failing(tmp_path, host=host, **settings)
        assert (failure.kind, failure.harmless) == (FailureKind.TRANSIENT, True)
        assert host in failure.message


async def test_somebody_listens_and_says_nothing(tmp_path, driver):
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    settings = {"database": "x", "user": "x", "port": port, "driver": driver}
    failure = await failing(tmp_path, host="127.0.0.1", connect_timeout=0.2, **settings)
    server.close()
    assert (failure.kind, failure.harmless) == (FailureKind.TRANSIENT, True)


async def test_a_database_that_is_not_there(tmp_path, mysql_server, driver):
    settings = mysql_server.settings("no_such_database")
    failure = await failing(tmp_path, driver=driver, **settings)
    assert (failure.kind, failure.harmless) == (FailureKind.MISSING, True)


@pytest.fixture
def guarded(
    guarded_mysql: MysqlServer, driver: str, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    monkeypatch.setenv("TEST_PASSWORD", guarded_mysql.password)
    password = Secret(env="TEST_PASSWORD")
    return {
        **guarded_mysql.settings(),
        "password": password,
        "driver": driver,
        "max_connections": 1,
    }


async def opened(tmp_path: Path, sql: str, **settings: Any) -> Any:
    async with MysqlConnection(**settings).open(Doors(tmp_path)) as client:
        return (await call_checked(QUERY, client, sql=sql))["rows"]


async def test_a_password_that_is_wrong_or_missing(tmp_path, guarded, monkeypatch):
    assert await opened(tmp_path, "SELECT 1 AS one", **guarded) == [{"one": 1}]
    monkeypatch.setenv("TEST_WRONG", "canary-wrong-☃")
    for password in (Secret(env="TEST_WRONG"), None):
        failure = await failing(tmp_path, **{**guarded, "password": password})
        assert (failure.kind, failure.harmless) == (FailureKind.DENIED, True)
        assert "canary-wrong" not in str(failure)


async def test_a_password_of_any_letters(tmp_path, guarded, guarded_mysql, monkeypatch):
    name, password = f"tester_{os.getpid()}", "pä☃ß"
    await guarded_mysql.run(
        f"CREATE OR REPLACE USER {name}@'%' IDENTIFIED BY '{password}'",
        f"GRANT SELECT ON mysql.* TO {name}@'%'",
    )
    monkeypatch.setenv("TEST_PASSWORD", password)
    assert await opened(tmp_path, "SELECT 1 AS n", **{**guarded, "user": name}) == [{"n": 1}]


async def test_the_password_is_found_nowhere(tmp_path, guarded, guarded_mysql):
    made = MysqlConnection(**guarded)
    async with made.open(Doors(tmp_path)) as client:
        await call_checked(QUERY, client, sql="SELECT 1 AS one")
        said = [repr(made), made.model_dump_json(), repr(client), str(await made.check(client))]
        for sql in ("SELEC", "SELECT * FROM nowhere", "SET PASSWORD = 'x"):
            with pytest.raises(Exception) as raised:
                await call_checked(EXECUTE, client, sql=sql)
            said.append(repr(name_fault(connector.faults, raised.value)))
        said.append(_command_line())
    assert not [text for text in said if guarded_mysql.password in text]


def _command_line() -> str:
    return Path("/proc/self/cmdline").read_text()


async def test_a_password_that_is_not_set(tmp_path, guarded):
    made = MysqlConnection(**{**guarded, "password": Secret(env="TEST_UNSET")})
    with pytest.raises(ConnectionUnusable, match="TEST_UNSET is not set"):
        async with made.open(Doors(tmp_path)):
            pass


async def test_too_many_clients(tmp_path, guarded, guarded_mysql):
    open_ones = []
    try:
        while len(open_ones) < 11:  # ten, and the one that is kept for the super-user
            open_ones.append(await guarded_mysql.connect())
        failure = await failing(tmp_path, **guarded)
    finally:
        for one in open_ones:
            await one.ensure_closed()
    assert (failure.kind, failure.harmless) == (FailureKind.THROTTLED, True)


async def test_a_server_that_takes_no_writes(tmp_path, guarded, guarded_mysql):
    name = f"reader_{os.getpid()}"
    await guarded_mysql.run(
        f"CREATE OR REPLACE USER {name}@'%' IDENTIFIED BY '{guarded_mysql.password}'",
        f"GRANT SELECT, INSERT ON mysql.* TO {name}@'%'",
        "SET GLOBAL read_only = 1",
    )
    made = MysqlConnection(**{**guarded, "user": name})
    try:
        async with made.open(Doors(tmp_path)) as client:
            with pytest.raises(ToolError) as raised:
                await call_checked(EXECUTE, client, sql="INSERT INTO plugin VALUES ('x', 'y')")
            assert (await made.check(client))["read_only"] is True
    finally:
        await guarded_mysql.run("SET GLOBAL read_only = 0")
    assert raised.value.failure.kind is FailureKind.DENIED


TLS_USED = "SHOW STATUS LIKE 'Ssl_cipher'"


async def test_tls(tmp_path, guarded, guarded_mysql):
    if guarded_mysql.ca_file is None:
        pytest.skip("NO OPENSSL: TLS was not tested. Install it: apt-get install openssl")

    async def used(**settings: Any) -> bool:
        [row] = await opened(tmp_path, TLS_USED, **settings)
        return bool(row["Value"])

    ours = {**guarded, "ca_file": str(guarded_mysql.ca_file)}
    assert not await used(**guarded)
    assert await used(tls="require", **guarded)
    assert await used(tls="verify-ca", **ours)
    assert await used(**{**ours, "tls": "verify-full", "host": "localhost"})
    for refused in ({**ours, "tls": "verify-full"}, {**guarded, "tls": "verify-ca"}):
        failure = await failing(tmp_path, **refused)  # another name; an unknown authority
        assert (failure.kind, failure.harmless) == (FailureKind.DENIED, True)


async def test_a_server_without_tls_is_told_nothing(tmp_path, mysql_server, driver):
    """Both drivers would go on in clear."""
    if (await mysql_server.run("SELECT @@have_ssl"))[0][0] == "YES":
        pytest.skip("the server that listens here speaks TLS")
    failure = await failing(tmp_path, tls="require", driver=driver, **mysql_server.settings())
    assert (failure.kind, failure.harmless) == (FailureKind.DENIED, True)
    assert "does not speak TLS" in failure.message


async def test_tls_is_verified_unless_the_server_is_here(tmp_path):
    from drawloom.connectors.databases.mysql.connection import _options

    def told(host: str) -> Any:
        return _options(MysqlConnection(host=host, database="x", user="x"), tmp_path)["ssl"]

    assert [told(host) for host in ("localhost", "127.0.0.1", "::1", "/run/s")] == [None] * 4
    assert told("db.example.org").check_hostname
    with pytest.raises(ConnectionUnusable, match=r"ca_file 'nowhere\.pem'"):
        given = {"host": "h", "database": "x", "user": "x", "ca_file": "nowhere.pem"}
        _options(MysqlConnection(tls="verify-full", **given), tmp_path)


async def test_check_says_how_the_server_is(tmp_path, mysql_server, driver):
    made = MysqlConnection(**mysql_server.settings(), driver=driver)
    async with made.open(Doors(tmp_path)) as client:
        said = await made.check(client)
    assert said["server"] in ("MariaDB", "MySQL")
    assert said["version"][0].isdigit()
    assert said["latency_ms"] > 0
    assert any(right.startswith("GRANT ALL") for right in said["rights"])
    assert (said["tls"], said["read_only"]) == (None, False)


async def test_without_a_setting_the_driver_is_asyncmy_else_aiomysql(monkeypatch):
    import sys

    from drawloom.connectors.databases.mysql.drivers import _chosen

    assert _chosen(None)[0] == "asyncmy"
    monkeypatch.setitem(sys.modules, "asyncmy.connection", None)
    assert _chosen(None)[0] == "aiomysql"
    monkeypatch.setitem(sys.modules, "aiomysql.connection", None)
    with pytest.raises(ConnectionUnusable, match=r"pip install drawloom\[mysql\]"):
        _chosen(None)


@pytest.mark.slow
async def test_a_restart_heals_and_no_read_is_lost(tmp_path, driver):
    """Calls that may be made again are made by the engine; none of their runs fails."""
    from drawloom.project import Project

    with start_mysql() as server:
        await server.run("CREATE DATABASE shop", "CREATE TABLE shop.t (id int)")
        (tmp_path / "drawloom.toml").write_text(
            f'[connections.db]\nkind = "mysql"\nhost = "127.0.0.1"\nport = {server.port}\n'
            f'user = "root"\ndatabase = "shop"\ndriver = "{driver}"\n'
        )
        project = Project.find(tmp_path)
        from drawloom.chains import load

        chain = project.checked_plan(load(CHAIN))
        async with project.engine(durability="memory") as engine:
            assert (await engine.run(chain, {})).status == "succeeded"
            server.stop(kill=True)
            running = [asyncio.create_task(engine.run(chain, {})) for _ in range(10)]
            await asyncio.to_thread(server.start)
            results = await asyncio.gather(*running)
            assert [one.status for one in results] == ["succeeded"] * 10
            async with asyncio.timeout(5):
                assert (await engine.run(chain, {})).status == "succeeded"


CHAIN = """
chain: count
connections: {db: mysql}
steps:
  count:
    use: mysql.query
    on: db
    with: {sql: "SELECT COUNT(*) AS n FROM t"}
    retry: {attempts: 40, delay: 0.25s, factor: 1}
output: {n: "${steps.count.rows[0].n}"}
"""
