"""SQL as it is written, with both drivers."""

from __future__ import annotations

import pytest

from drawloom.connectors.databases.mysql import connector
from drawloom.errors import FailureKind


async def test_rows_are_objects(shared):
    assert await shared("query", sql="SELECT 1 AS a, 'x' AS b") == {
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


async def test_one_row_none_or_an_error(shared):
    one = "SELECT n FROM (SELECT 1 AS n UNION SELECT 2) AS q WHERE n <= ?"
    assert await shared("query_one", sql=one, args=[1]) == {"row": {"n": 1}, "found": True}
    assert await shared("query_one", sql=one, args=[0]) == {"row": None, "found": False}
    failure = await shared.failure("query_one", sql=one, args=[2])
    assert failure.kind is FailureKind.INVALID
    assert await shared.value("SELECT 1") == 1


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


@pytest.mark.parametrize("settings", [{"max_rows": 10_000, "timeout": 60}])
async def test_rows_beyond_the_limit_are_never_read(db):
    """A thousand million rows: whoever read them all would run out of time, or of memory."""
    failure = await db.failure("query", sql="SELECT seq FROM seq_1_to_1000000000")
    assert (failure.kind, "max_rows" in failure.message) == (FailureKind.INVALID, True)
    cut = await db("query", sql="SELECT seq FROM seq_1_to_1000000000", limit=7_000, shape="column")
    assert (cut["rows"], cut["truncated"]) == (list(range(1, 7_001)), True)


async def test_many_runs_are_all_or_nothing(db):
    await db.run("CREATE TABLE t (id int PRIMARY KEY)")
    sql = "INSERT INTO t VALUES (?)"
    assert await db("execute_many", sql=sql, args=[[1], [2]]) == {"count": 2}
    assert (await db.failure("execute_many", sql=sql, args=[[3], [1]])).kind == "conflict"
    assert await db.value("SELECT COUNT(*) FROM t") == 2


async def test_rows_in_other_shapes(shared):
    sql = "SELECT 1 AS a, 'x' AS b UNION SELECT 2, 'y'"
    arrays = await shared("query", sql=sql, shape="arrays")
    assert (arrays["rows"], arrays["columns"]) == ([[1, "x"], [2, "y"]], ["a", "b"])
    column = await shared("query", sql="SELECT 5 AS n", shape="column", limit=9)
    assert (column["rows"], column["count"]) == ([5], 1)
    keyed = await shared("query", sql=sql, shape="keyed", key="b")
    assert keyed["rows"] == {"x": {"a": 1, "b": "x"}, "y": {"a": 2, "b": "y"}}
    assert (keyed["count"], keyed["truncated"]) == (2, False)
    cut = await shared("query", sql=sql, shape="keyed", key="b", limit=1)
    assert (cut["rows"], cut["truncated"]) == ({"x": {"a": 1, "b": "x"}}, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sql": "SELECT 1, 2", "shape": "column"}, "the result has 2: 1, 2"),
        ({"sql": "SELECT 1 AS a", "shape": "keyed", "key": "b"}, "no column 'b'; it has a"),
        ({"sql": "SELECT NULL AS a", "shape": "keyed", "key": "a"}, "a is None"),
        (
            {"sql": "SELECT 1 AS a UNION ALL SELECT 1", "shape": "keyed", "key": "a"},
            "two rows have a = 1",
        ),
        ({"sql": "SELECT 1 AS a", "shape": "keyed"}, "`key` names the column for shape: keyed"),
        ({"sql": "SELECT 1 AS a", "key": "a"}, "`key` names the column for shape: keyed"),
        ({"sql": "SELECT 1 AS a, 2 AS a", "shape": "arrays"}, "two columns named 'a'"),
    ],
)
async def test_what_has_no_such_shape(shared, arguments, message):
    failure = await shared.failure("query", **arguments)
    assert failure.kind is FailureKind.INVALID
    assert message in failure.message


async def test_a_table_in_other_shapes(db):
    await db.run("CREATE TABLE t (id int, v varchar(9))", "INSERT INTO t VALUES (1, 'a')")
    assert (await db("select", table="t", shape="arrays"))["rows"] == [[1, "a"]]
    assert (await db("select", table="t", columns=["v"], shape="column"))["rows"] == ["a"]
    keyed = await db("select", table="t", shape="keyed", key="id")
    assert keyed["rows"] == {"1": {"id": 1, "v": "a"}}


SHAPES = [
    ("objects", {"type": "array", "items": {"type": "object"}}),
    ("arrays", {"type": "array", "items": {"type": "array"}}),
    ("column", {"type": "array", "items": {}}),
    ("keyed", {"type": "object", "additionalProperties": {"type": "object"}}),
]


@pytest.mark.parametrize(("shape", "rows"), SHAPES)
@pytest.mark.parametrize("tool", ["query", "select"])
def test_the_static_check_knows_the_shape(tool, shape, rows):
    narrow = connector.tools[f"mysql.{tool}"].narrower
    assert narrow is not None
    assert narrow({"shape": shape}, None) == {"rows": rows}
    assert narrow({"shape": "${input.shape}"}, None) == {}
    assert narrow({}, None) == {"rows": SHAPES[0][1]}


WRITES = [
    "INSERT INTO t VALUES (2)",
    "CREATE TABLE u (a int)",
    "DROP TABLE t",
    "SET GLOBAL max_connections = 1",
    "SELECT id FROM t INTO OUTFILE '/tmp/drawloom-never'",
    "SELECT id INTO @v FROM t",
    "COMMIT",
    "WITH q AS (SELECT 1) DELETE FROM t",
    "CALL nothing()",
    "",
    "-- nothing",
]


async def test_a_query_only_reads(db):
    await db.run("CREATE TABLE t (id int)", "INSERT INTO t VALUES (1)")
    for sql in WRITES:
        failure = await db.failure("query", sql=sql or " ")
        assert failure.kind in (FailureKind.DENIED, FailureKind.INVALID), sql
        assert await db.value("SELECT COUNT(*) FROM t") == 1


async def test_a_function_cannot_write_through_a_query(db):
    """The server refuses, for the session is READ ONLY."""
    await db.run(
        "CREATE TABLE t (id int)",
        "CREATE FUNCTION f() RETURNS int BEGIN INSERT INTO t VALUES (1); RETURN 1; END",
    )
    failure = await db.failure("query", sql="SELECT f()")
    assert failure.kind is FailureKind.DENIED
    assert "mysql.execute writes" in failure.message


@pytest.mark.parametrize(
    "sql",
    ["BEGIN", "START TRANSACTION", "COMMIT", "rollback", "SAVEPOINT a", "LOCK TABLES t WRITE",
     "USE mysql", "LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE t", "XA START 'x'"],
)  # fmt: skip
async def test_what_would_outlast_its_step_is_refused(shared, sql):
    assert (await shared.failure("execute", sql=sql)).kind is FailureKind.INVALID


@pytest.mark.parametrize("settings", [{"max_connections": 1}])
async def test_a_session_reaches_the_next_step_as_new(db):
    await db.run("SET SESSION sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES', time_zone = '+05:00'")
    await db.run("SET @secret = 7", "CREATE TEMPORARY TABLE tmp (a int)")
    await db.run("SET SESSION TRANSACTION READ WRITE")
    assert await db.rows("SELECT GET_LOCK('drawloom-test', 0) AS got, @n := 1 AS n") == [
        {"got": 1, "n": 1}
    ]
    assert await db.rows(
        "SELECT @secret AS a, @n AS b, @@time_zone AS c, IS_USED_LOCK('drawloom-test') AS d,"
        " \"x\" AS e, @@sql_mode LIKE 'STRICT_ALL_TABLES%' AS f"
    ) == [{"a": None, "b": None, "c": "+00:00", "d": None, "e": "x", "f": 1}]
    assert (await db.failure("query", sql="SELECT * FROM tmp")).kind is FailureKind.MISSING


async def test_a_statement_that_commits_by_itself(db):
    await db.run("CREATE TABLE t (id int)", "ALTER TABLE t ADD COLUMN v int")
    assert await db("execute", sql="INSERT INTO t VALUES (1, 2) RETURNING v") == {
        "changes": 1,
        "last_id": None,
        "rows": [{"v": 2}],
        "columns": ["v"],
    }
