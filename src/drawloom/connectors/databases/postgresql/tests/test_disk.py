"""A disk that is really full: what went before stands, and what comes after it is freed works."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from tests.servers.postgresql import start_postgresql

from drawloom.connectors.databases.postgresql.connection import PostgresqlConnection
from drawloom.connectors.databases.postgresql.tests.conftest import Caller
from drawloom.doors import Doors
from drawloom.errors import FailureKind

pytestmark = pytest.mark.slow


async def test_a_full_disk_is_named_and_harmless(tmp_path: Path, small_disk: Path) -> None:
    place = small_disk / "space"
    place.mkdir(mode=0o700)
    with start_postgresql() as server:
        if not os.geteuid():
            shutil.chown(place, "postgres")
        settings = PostgresqlConnection(**server.settings())
        async with settings.open(Doors(tmp_path)) as client:
            db = Caller(client)
            space = f"CREATE TABLESPACE small LOCATION '{place}'"
            await db("execute", sql=space, autocommit=True)
            await db("execute", sql="CREATE TABLE t (id int, v text) TABLESPACE small")
            await db("execute", sql="ALTER TABLE t ALTER v SET STORAGE EXTERNAL")
            await db("execute", sql="INSERT INTO t VALUES (0, 'before')")
            ballast = small_disk / "ballast"
            ballast.write_bytes(bytes(6 << 20))
            sql = "INSERT INTO t SELECT n, repeat('x', 8000) FROM generate_series(1, 2000) AS n"
            failure = await db.failure("execute", sql=sql)
            assert (failure.kind, failure.harmless) == (FailureKind.TRANSIENT, True)
            assert "No space left on device" in failure.message
            assert (failure.details or {})["sqlstate"] == "53100"
            assert await db.rows("SELECT id FROM t") == [{"id": 0}]
            ballast.unlink()
            await db("execute", sql="INSERT INTO t VALUES (1, 'after')")
            assert await db.value("SELECT count(*) FROM t") == 2
