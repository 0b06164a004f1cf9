"""SQL as it is written, with both drivers."""

from __future__ import annotations

import pytest

from drawloom.errors import FailureKind


async def test_rows_are_objects(db):
    assert await db("query", sql="SELECT 1 AS a, 'x' AS b") == {
        "rows": [{"a": 1, "b": "x"}],
        "columns": ["a", "b"],
        "count": 1,
        "truncated": False,
    }


async def test_a_write_and_what_it_did(db):
    await db.run("CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, v varchar(9))")
    done = await db("execute", sql="INSERT INTO t (v) VALUES (?), (?)", args=["a", "b"])
    assert done == {"changes": 2, "last_id": 1, "rows": [], "columns": []}
    done = await db("execute", sql="UPDATE t SET v = 'b'")
    assert done["changes"] == 2, "the rows that were found, though one is as it was"
    assert await db.rows("SELECT v FROM t") == [{"v": "b"}, {"v": "b"}]


async def test_one_row_none_or_an_error(db):
    one = "SELECT n FROM (SELECT 1 AS n UNION SELECT 2) AS q WHERE n <= ?"
    assert await db("query_one", sql=one, args=[1]) == {"row": {"n": 1}, "found": True}
    assert await db("query_one", sql=one, args=[0]) == {"row": None, "found": False}
    failure = await db.failure("query_one", sql=one, args=[2])
    assert failure.kind is FailureKind.INVALID
    assert await db.value("SELECT 1") == 1


@pytest.mark.parametrize("settings", [{"max_rows": 3}])
async def test_limits(db):
    sql = "SELECT 1 AS n UNION SELECT 2 UNION SELECT 3"
    assert (await db("query", sql=sql))["count"] == 3
    cut = await db("query", sql=sql, limit=2)
    assert (cut["count"], cut["truncated"]) == (2, True)
    assert not (await db("query", sql=sql, limit=3))["truncated"]
    failure = await db.failure("query", sql=f"{sql} UNION SELECT 4")
    assert failure.kind is FailureKind.INVALID
    assert "max_rows" in failure.message


async def test_many_runs_are_all_or_nothing(db):
    await db.run("CREATE TABLE t (id int PRIMARY KEY)")
    sql = "INSERT INTO t VALUES (?)"
    assert await db("execute_many", sql=sql, args=[[1], [2]]) == {"count": 2}
    assert (await db.failure("execute_many", sql=sql, args=[[3], [1]])).kind == "conflict"
    assert await db.value("SELECT COUNT(*) FROM t") == 2
