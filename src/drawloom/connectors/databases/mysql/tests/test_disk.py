"""A disk that is really full: what went before stands, and nothing of the failed call."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.servers.mysql import start_mysql

from drawloom.connectors.databases.mysql import connector
from drawloom.connectors.databases.mysql.connection import MysqlConnection
from drawloom.doors import Doors
from drawloom.errors import FailureKind
from drawloom.sdk import name_fault
from drawloom.sdk.contract import call_checked

pytestmark = pytest.mark.slow


async def test_a_full_disk_is_named_and_harmless(tmp_path: Path, small_disk: Path) -> None:
    execute, query = (connector.tools[f"mysql.{name}"] for name in ("execute", "query_one"))
    table = f"CREATE TABLE t (id int, v longtext) DATA DIRECTORY = '{small_disk}'"
    with start_mysql() as server:
        settings = MysqlConnection(**server.settings("mysql"))
        async with settings.open(Doors(tmp_path)) as client:
            await call_checked(execute, client, sql="CREATE DATABASE disk")
        async with settings.model_copy(update={"database": "disk"}).open(
            Doors(tmp_path)
        ) as client:
            await call_checked(execute, client, sql=table)
            await call_checked(execute, client, sql="INSERT INTO t VALUES (0, 'before')")
            with pytest.raises(Exception) as raised:
                await call_checked(
                    execute,
                    client,
                    sql="INSERT INTO t SELECT seq, REPEAT('x', 8000) FROM seq_1_to_2000",
                )
            failure = name_fault(connector.faults, raised.value)
            assert (failure.kind, failure.harmless) == (FailureKind.TRANSIENT, True)
            assert "full" in failure.message
            found = await call_checked(
                query, client, sql="SELECT COUNT(*) AS n, MAX(v) AS v FROM t"
            )
            assert found["row"] == {"n": 1, "v": "before"}
