"""Opening the file: where it may be, who may write, who else holds it."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from drawloom.connectors.databases.sqlite import connector
from drawloom.connectors.databases.sqlite.connection import SqliteConnection
from drawloom.doors import Doors
from drawloom.errors import ConnectionUnusable, FailureKind
from drawloom.sdk import name_fault
from drawloom.sdk.contract import call_checked

EXECUTE = connector.tools["sqlite.execute"]
QUERY = connector.tools["sqlite.query"]


@pytest.mark.parametrize(
    "path", ["../out.db", "a/../../out.db", "link/out.db", ":memory:", "a\0b"]
)
async def test_a_path_stays_in_the_project(tmp_path: Path, path: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(tmp_path)
    with pytest.raises(ConnectionUnusable):
        async with SqliteConnection(path=path).open(Doors(root)):
            pass
    assert not (tmp_path / "out.db").exists()


async def test_an_absolute_path_may_be_anywhere(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    place = tmp_path / "out.db"
    async with SqliteConnection(path=str(place)).open(Doors(root)) as database:
        await call_checked(EXECUTE, database, sql="CREATE TABLE t (a)")
    assert place.exists()
    assert not place.with_name("out.db-wal").exists(), "the log is folded in at the end"


@pytest.mark.parametrize(
    ("content", "settings"),
    [(b"this is no database at all, I am afraid", {}), (None, {"create": False})],
)
async def test_what_cannot_be_opened_says_so(tmp_path: Path, content, settings) -> None:
    if content is not None:
        (tmp_path / "x.db").write_bytes(content)
    with pytest.raises(ConnectionUnusable, match=r"cannot open the SQLite file .*x\.db"):
        async with SqliteConnection(path="x.db", **settings).open(Doors(tmp_path)):
            pass


async def test_read_only_refuses_to_write(tmp_path: Path) -> None:
    async with SqliteConnection(path="x.db").open(Doors(tmp_path)) as database:
        await call_checked(EXECUTE, database, sql="CREATE TABLE t (a)")
    made = SqliteConnection(path="x.db", read_only=True)
    async with made.open(Doors(tmp_path)) as database:
        assert (await call_checked(QUERY, database, sql="SELECT * FROM t"))["columns"] == ["a"]
        assert (await made.check(database))["journal_mode"] == "wal"
        with pytest.raises(Exception) as raised:
            await call_checked(EXECUTE, database, sql="DELETE FROM t")
    assert name_fault(connector.faults, raised.value).kind is FailureKind.DENIED


async def test_a_file_that_another_process_writes_is_transient(tmp_path: Path) -> None:
    made = SqliteConnection(path="x.db", busy_timeout=0.05)
    async with made.open(Doors(tmp_path)) as database:
        await call_checked(EXECUTE, database, sql="CREATE TABLE t (a)")
        other = apsw.Connection(str(tmp_path / "x.db"))
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(apsw.BusyError) as raised:
            await call_checked(EXECUTE, database, sql="DELETE FROM t")
        failure = name_fault(connector.faults, raised.value)
        assert (failure.kind, failure.harmless) == (FailureKind.TRANSIENT, True)
        other.execute("COMMIT")
        assert (await call_checked(EXECUTE, database, sql="DELETE FROM t"))["changes"] == 0
        other.close()


async def test_a_full_file_is_transient_and_loses_nothing(tmp_path: Path) -> None:
    async with SqliteConnection(path="x.db").open(Doors(tmp_path)) as database:
        await call_checked(EXECUTE, database, sql="CREATE TABLE t (a)")
        database._writer.value("PRAGMA max_page_count = 3")
        with pytest.raises(apsw.FullError) as raised:
            await call_checked(EXECUTE, database, sql="INSERT INTO t VALUES (zeroblob(100000))")
        assert name_fault(connector.faults, raised.value).kind is FailureKind.TRANSIENT
        found = await call_checked(QUERY, database, sql="SELECT count(*) AS n FROM t")
        assert found["rows"] == [{"n": 0}]
