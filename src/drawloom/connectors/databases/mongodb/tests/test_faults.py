"""Each fault provoked on a real server, by the tools' own way.

What cannot be provoked without harm is raised by the server's own fail points, as
its error would be.
"""

from __future__ import annotations

import asyncio
import gc
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.servers.lookup import free_port
from tests.servers.mongodb import start_mongodb

from drawloom.connectors.databases.mongodb import connector
from drawloom.connectors.databases.mongodb.connection import MongodbConnection
from drawloom.connectors.databases.mongodb.tests.conftest import LEAVES_SOCKETS
from drawloom.doors import Doors
from drawloom.errors import ConnectionUnusable, Failure, FailureKind
from drawloom.sdk import Context, Secret, name_fault
from drawloom.sdk.contract import call_checked

FIND = connector.tools["mongodb.find"]
SET = {"$set": {"a": 1}}


async def failing(tmp_path: Path, **settings: Any) -> Failure:
    """How a first query fails with these settings."""
    given = {"database": "d", "connect_timeout": 1.0, **settings}
    async with MongodbConnection(**given).open(Doors(tmp_path)) as client:
        with pytest.raises(Exception) as raised:
            await call_checked(FIND, client, collection="t")
    return name_fault(connector.faults, raised.value)


pytestmark = [pytest.mark.slow, *LEAVES_SOCKETS]


@pytest.fixture(scope="module")
def breaking() -> Iterator[Any]:
    """A server whose fail points can be armed."""
    with start_mongodb(fail_points=True) as server:
        yield server


@pytest.fixture
async def fragile(breaking: Any, tmp_path: Path) -> Any:
    """A client of it, and a function that arms a fail point for the next command of a name."""
    driver = breaking.connect()

    def arm(command: str, times: int = 1, **data: Any) -> None:
        armed = {"failCommands": [command], **data}
        mode = {"times": times}
        driver.admin.command("configureFailPoint", "failCommand", mode=mode, data=armed)

    # A database for each test: a commit that was lost keeps its documents for a while.
    database = f"d{uuid.uuid4().hex[:8]}"
    settings = {**breaking.settings(database), "timeout": 5.0}
    async with MongodbConnection(**settings).open(Doors(tmp_path)) as client:
        yield client, arm
    driver.admin.command("configureFailPoint", "failCommand", mode="off")
    driver.close()


async def fault(client: Any, tool: str, **arguments: Any) -> Failure:
    found = connector.tools[f"mongodb.{tool}"]
    if name := found.signature.context_name:
        arguments[name] = Context(key="k")
    with pytest.raises(Exception) as raised:
        await call_checked(found, client, **arguments)
    return name_fault(connector.faults, raised.value)


@pytest.mark.parametrize(
    ("code", "kind", "harmless"),
    [
        (11600, FailureKind.TRANSIENT, False),  # interrupted at shutdown
        (91, FailureKind.TRANSIENT, False),  # shutdown in progress
        (10107, FailureKind.TRANSIENT, True),  # not primary: it takes no writes
        (13435, FailureKind.TRANSIENT, True),
        (189, FailureKind.TRANSIENT, False),  # stepped down in the middle
        (112, FailureKind.TRANSIENT, False),  # write conflict
        (24, FailureKind.TRANSIENT, False),  # lock timeout
        (14031, FailureKind.TRANSIENT, False),  # disk full
        (50, FailureKind.TIMEOUT, False),
        (13, FailureKind.DENIED, False),
        (18, FailureKind.DENIED, False),
        (26, FailureKind.MISSING, False),
        (121, FailureKind.INVALID, False),  # document validation
        (2, FailureKind.INVALID, False),
        (17419, FailureKind.INVALID, False),  # an assertion without a name
        (202, FailureKind.THROTTLED, False),
        (8, FailureKind.DEFECT, False),  # unknown error
    ],
)
async def test_by_the_servers_code(fragile, code, kind, harmless):
    client, arm = fragile
    arm("update", errorCode=code)
    failure = await fault(client, "update_many", collection="t", filter={}, update=SET)
    assert (failure.kind, failure.harmless) == (kind, harmless), failure


@pytest.mark.parametrize(
    ("label", "harmless"), [("NoWritesPerformed", True), ("RetryableWriteError", False)]
)
async def test_a_label_of_the_server_proves_that_nothing_happened(fragile, label, harmless):
    client, arm = fragile
    arm("update", errorCode=91, errorLabels=[label])
    failure = await fault(client, "update_one", collection="t", filter={}, update=SET)
    assert (failure.kind, failure.harmless) == (FailureKind.TRANSIENT, harmless)


@pytest.mark.parametrize(("command", "tool", "given"), [
    ("find", "find", {}),
    ("update", "update_one", {"filter": {}, "update": SET}),
    ("delete", "delete_many", {"filter": {}}),
])  # fmt: skip
async def test_a_connection_that_breaks_in_the_middle(fragile, command, tool, given):
    client, arm = fragile
    arm(command, closeConnection=True)
    failure = await fault(client, tool, collection="t", **given)
    assert (failure.kind, failure.harmless) == (FailureKind.TRANSIENT, False)
    await call_checked(FIND, client, collection="t")  # the pool has made another one


async def test_the_driver_does_not_try_again_by_itself(fragile):
    """One armed failure is seen: a second attempt would have hidden it."""
    client, arm = fragile
    for command, tool, given in (
        ("find", "find", {}),
        ("insert", "insert_one", {"document": {}}),
    ):
        arm(command, errorCode=91, errorLabels=["RetryableWriteError"])
        failure = await fault(client, tool, collection="t", **given)
        assert failure.kind is FailureKind.TRANSIENT


async def test_a_transaction_that_loses_its_connection_was_not_made(fragile):
    client, arm = fragile
    writes = [{"op": "insert_one", "collection": "t", "document": {"_id": n}} for n in range(2)]
    arm("insert", closeConnection=True)
    failure = await fault(client, "transaction", operations=writes)
    assert (failure.kind, failure.harmless) == (FailureKind.TRANSIENT, True)
    arm("commitTransaction", times=2, closeConnection=True)  # the driver asks twice, as it may
    failure = await fault(client, "transaction", operations=writes)
    assert (failure.kind, failure.harmless) == (FailureKind.TRANSIENT, False)


async def test_a_write_that_its_members_do_not_confirm(fragile):
    client, arm = fragile
    arm("insert", writeConcernError={"code": 64, "errmsg": "waiting for replication timed out"})
    failure = await fault(client, "insert_one", collection="t", document={"_id": 1})
    assert (failure.kind, failure.harmless) == (FailureKind.TRANSIENT, False)
    # Made again, it finds its document there.
    again = connector.tools["mongodb.insert_one"].function
    assert await again(client, "t", {"_id": 1}, Context(key="k")) == {"id": 1}


async def test_an_operation_that_takes_too_long(breaking, tmp_path):
    settings = {**breaking.settings("d"), "timeout": 0.2}
    with breaking.connect() as driver:
        data = {"failCommands": ["find"], "blockConnection": True, "blockTimeMS": 3_000}
        driver.admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=data)
    async with MongodbConnection(**settings).open(Doors(tmp_path)) as client:
        await client.database.command("ping")
        failure = await fault(client, "find", collection="t")
        assert failure.kind is FailureKind.TIMEOUT
        await call_checked(FIND, client, collection="t")


async def test_a_pool_that_stays_empty(breaking, tmp_path):
    settings = {**breaking.settings("d"), "max_connections": 1, "acquire_timeout": 0.1}
    with breaking.connect() as driver:
        data = {"failCommands": ["update"], "blockConnection": True, "blockTimeMS": 1_000}
        driver.admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=data)
    update = connector.tools["mongodb.update_one"].function
    async with MongodbConnection(**settings).open(Doors(tmp_path)) as client:
        both = [update(client, "t", {}, SET) for _ in range(2)]
        done = await asyncio.gather(*both, return_exceptions=True)
    [lost] = [one for one in done if isinstance(one, Exception)]
    failure = name_fault(connector.faults, lost)
    assert (failure.kind, failure.harmless) == (FailureKind.THROTTLED, True)


async def test_nobody_listens(tmp_path):
    failure = await failing(tmp_path, host="127.0.0.1", port=free_port(), connect_timeout=0.2)
    assert (failure.kind, failure.harmless) == (FailureKind.TRANSIENT, True)
    assert "127.0.0.1" in failure.message


@pytest.fixture
def guarded(guarded_mongodb: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("TEST_PASSWORD", guarded_mongodb.password)
    given = {**guarded_mongodb.settings("d"), "password": Secret(env="TEST_PASSWORD")}
    if guarded_mongodb.ca_file is not None:
        given |= {"tls": "verify-ca", "ca_file": str(guarded_mongodb.ca_file)}
    return given


async def test_a_password_that_is_wrong_missing_or_not_set(tmp_path, guarded, monkeypatch):
    monkeypatch.setenv("TEST_WRONG", "canary-wrong")
    failure = await failing(tmp_path, **{**guarded, "password": Secret(env="TEST_WRONG")})
    assert failure.kind is FailureKind.DENIED
    assert "canary-wrong" not in str(failure)
    failure = await failing(tmp_path, **{**guarded, "user": None, "password": None})
    assert failure.kind is FailureKind.DENIED
    monkeypatch.setenv("TEST_LINES", "of\ntwo lines")
    for password, said in (
        (None, "needs a password"),
        (Secret(env="TEST_UNSET"), "is not set"),
        (Secret(env="TEST_LINES"), "no password may hold a line end"),
    ):
        with pytest.raises(ConnectionUnusable, match=said):
            await failing(tmp_path, **{**guarded, "password": password})


async def test_tls(tmp_path, guarded, guarded_mongodb):
    if guarded_mongodb.ca_file is None:
        pytest.skip("NO OPENSSL: TLS was not tested. Install it: apt-get install openssl")
    for good in (guarded, {**guarded, "tls": "verify-full", "host": "localhost"}, {**guarded, "tls": "require", "ca_file": None}):  # fmt: skip
        async with MongodbConnection(**good).open(Doors(tmp_path)) as client:
            said = await MongodbConnection(**good).check(client)
        assert (said["tls"], said["roles"]) == (True, ["root@admin"])
    for bad in ({**guarded, "tls": "verify-full"}, {**guarded, "ca_file": None}):
        failure = await failing(tmp_path, **bad)  # another name; an unknown authority
        # Closing the driver breaks off its next try and leaves that socket open for the collector.
        # SecantusDB shakes hands with one at a time: it would wait for it, and hear nobody else.
        gc.collect()
        assert (failure.kind, failure.harmless) == (FailureKind.DENIED, True), failure
    plain = await failing(tmp_path, **{**guarded, "tls": "off", "ca_file": None})
    assert plain.kind in (FailureKind.TRANSIENT, FailureKind.DENIED)
    with pytest.raises(ConnectionUnusable, match=r"ca_file 'nowhere\.pem'"):
        await failing(tmp_path, **{**guarded, "ca_file": "nowhere.pem"})


def test_tls_is_verified_unless_the_server_is_here(tmp_path):
    from drawloom.connectors.databases.mongodb.connection import driver_options

    def told(host: str) -> Any:
        return driver_options(MongodbConnection(host=host, database="d"), tmp_path)["tls"]

    assert [told(host) for host in ("localhost", "127.0.0.1", "::1")] == [False] * 3
    assert told("db.example.org")


@pytest.mark.parametrize("host", ["a,b", "u:p@h/x", "h/?tls=false", "mongodb://h", "h h", ""])
def test_a_host_is_a_name_and_nothing_else(host):
    with pytest.raises(ValueError, match="host"):
        MongodbConnection(host=host, database="d")


async def test_check_says_how_the_server_is(db):
    said = await db.client.settings.check(db.client)
    assert said["writable"] is True
    assert said["tls"] is False
    assert said["latency_ms"] > 0
    assert int(said["version"].split(".")[0]) >= 4
