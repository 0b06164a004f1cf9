"""The four tools on a real server."""

from __future__ import annotations

import asyncio

import pytest

from drawloom.errors import FailureKind

INJECTIONS = [
    "'; DROP TABLE t; --",
    '"; DROP TABLE t; --',
    "' OR '1'='1",
    "\\'; DROP TABLE t; --",
    "$1 $2 :name",
    "$$; DROP TABLE t; $$",
    "%s %(x)s {0} {x}",
    "${input.days} {{ 7*7 }}",
    "line\nbreak\r\ttab",
    "ünï¢ödé 漢字 🧵 \u202e",
    "-- comment",
    "/* comment",
    "NULL",
    "",
    " ",
]


@pytest.fixture
async def t(db):
    await db("execute", sql="CREATE TABLE t (id int PRIMARY KEY, v text, j jsonb, a text[])")
    return db


@pytest.mark.parametrize("text", INJECTIONS)
async def test_a_value_is_only_ever_a_value(shared, text):
    row = {"v": text, "j": {text: [text]}, "a": [text]}
    sql = "SELECT $1::text AS v, $2::jsonb AS j, $3::text[] AS a"
    assert await shared.rows(sql, text, {text: [text]}, [text]) == [row]


async def test_a_text_with_a_zero_byte_is_refused(shared):
    """PostgreSQL cannot hold it."""
    failure = await shared.failure("query", sql="SELECT $1::text", args=["a\0b"])
    assert failure.kind is FailureKind.INVALID


@pytest.mark.parametrize(
    ("sql", "args", "says"),
    [
        ("SELECT $1::int, $2::int AS b", [1], "has 2 parameters, args has 1"),
        ("SELECT 1", [1], "has 0 parameters, args has 1"),
        ("SELECT 1 AS a, 2 AS a", [], "two columns named 'a'"),
        ("SELECT 1; SELECT 2", [], "multiple commands"),
        ("SELEC 1", [], "syntax error"),
        ("SELECT 1/0", [], "division by zero"),
        ("SELECT nope()", [], "nope() does not exist"),
        ("SELECT nope FROM pg_class", [], 'column "nope" does not exist'),
    ],
)
@pytest.mark.parametrize("tool", ["query", "query_one", "execute"])
async def test_what_is_wrong_is_said(shared, tool, sql, args, says):
    failure = await shared.failure(tool, sql=sql, args=args)
    assert failure.kind is FailureKind.INVALID
    assert says in failure.message


@pytest.mark.parametrize("tool", ["query", "query_one"])
@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t (id) VALUES (1)",
        "WITH x AS (INSERT INTO t (id) VALUES (1) RETURNING id) SELECT * FROM x",
        "SELECT nextval('s')",
        "CREATE TABLE u (a int)",
        "DELETE FROM t",
        "SELECT writes()",
        "SELECT set_config('transaction_read_only', 'off', false), writes()",
    ],
)
async def test_a_query_cannot_write(t, tool, sql):
    await t("execute", sql="CREATE SEQUENCE s")
    await t(
        "execute",
        sql="CREATE FUNCTION writes() RETURNS int LANGUAGE sql VOLATILE"
        " AS 'INSERT INTO t (id) VALUES (1) RETURNING id'",
    )
    failure = await t.failure(tool, sql=sql)
    assert failure.kind in (FailureKind.DENIED, FailureKind.INVALID)
    assert await t.value("SELECT count(*) FROM t") == 0


@pytest.mark.parametrize("tool", ["query", "execute"])
@pytest.mark.parametrize("sql", ["COMMIT", "ROLLBACK"])
async def test_a_step_cannot_end_its_own_transaction(t, tool, sql):
    failure = await t.failure(tool, sql=sql)
    assert failure.kind is FailureKind.INVALID
    assert "transaction of its own" in failure.message


async def test_begin_does_not_outlive_its_step(t):
    failure = await t.failure("execute", sql="BEGIN", autocommit=True)
    assert failure.kind is FailureKind.INVALID
    assert await t.value("SELECT 1") == 1


@pytest.mark.parametrize("settings", [{"max_connections": 1}])
async def test_nothing_that_a_step_sets_reaches_the_next_one(t):
    await t("execute", sql="SET statement_timeout = 1")
    await t("execute", sql="SET ROLE pg_monitor")
    await t("execute", sql="CREATE TEMP TABLE t (hidden int)")
    await t("execute", sql="SELECT pg_advisory_lock(1)")
    assert await t.rows("SELECT * FROM t") == []
    found = await t.rows(
        "SELECT current_user AS u, current_setting('statement_timeout') AS s,"
        " (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory') AS l,"
        " to_regclass('pg_temp.t') IS NULL AS gone"
    )
    assert found == [{"u": "postgres", "s": "30s", "l": 0, "gone": True}]


async def test_execute_counts_what_it_changed(t):
    done = await t("execute", sql="INSERT INTO t (id) VALUES (1), (2) RETURNING id")
    assert done == {"changes": 2, "rows": [{"id": 1}, {"id": 2}], "columns": ["id"]}
    for sql, changes in [
        ("UPDATE t SET v = 'x'", 2),
        ("DELETE FROM t WHERE id = 1", 1),
        ("DELETE FROM t WHERE id = 99", 0),
        ("SELECT * FROM t", 0),
        ("CREATE TABLE u (a int)", 0),
    ]:
        assert (await t("execute", sql=sql))["changes"] == changes, sql


async def test_a_returned_row_that_cannot_be_said_undoes_the_change(t):
    await t("execute", sql="ALTER TABLE t ADD d date")
    sql = "INSERT INTO t (id, d) VALUES (1, '0044-03-15 BC') RETURNING d"
    failure = await t.failure("execute", sql=sql)
    assert failure.kind is FailureKind.INVALID
    assert await t.value("SELECT count(*) FROM t") == 0


async def test_what_needs_no_transaction_runs_without(t):
    assert (await t.failure("execute", sql="VACUUM t")).kind is FailureKind.INVALID
    assert (await t("execute", sql="VACUUM t", autocommit=True))["changes"] == 0


async def test_execute_many_is_all_or_nothing(t):
    sql = "INSERT INTO t (id, v) VALUES ($1, $2)"
    assert await t("execute_many", sql=sql, args=[[n, str(n)] for n in range(500)]) == {
        "count": 500
    }
    failure = await t.failure("execute_many", sql=sql, args=[[1000, "x"], [0, "x"]])
    assert failure.kind is FailureKind.CONFLICT
    failure = await t.failure("execute_many", sql=sql, args=[[1001, "x"], ["y", "x"]])
    assert (failure.kind, "args[1][0]" in failure.message) == (FailureKind.INVALID, True)
    failure = await t.failure("execute_many", sql=sql, args=[[1002, "x"], [1003]])
    assert "args[1] has 1" in failure.message
    assert await t.value("SELECT count(*) FROM t") == 500
    assert await t("execute_many", sql=sql, args=[]) == {"count": 0}


async def test_query_one(t):
    await t("execute", sql="INSERT INTO t (id, v) VALUES (1, 'a'), (2, 'b')")
    sql = "SELECT v FROM t WHERE id >= $1"
    assert await t("query_one", sql=sql, args=[2]) == {"row": {"v": "b"}, "found": True}
    assert await t("query_one", sql=sql, args=[3]) == {"row": None, "found": False}
    assert "more than one" in (await t.failure("query_one", sql=sql, args=[1])).message


async def test_limit_tells_the_truth(shared):
    sql = "SELECT * FROM generate_series(1, 3) AS n"
    cut = await shared("query", sql=sql, limit=2)
    assert cut == {
        "rows": [{"n": 1}, {"n": 2}],
        "columns": ["n"],
        "count": 2,
        "truncated": True,
    }
    whole = await shared("query", sql=sql, limit=3)
    assert (whole["count"], whole["truncated"]) == (3, False)
    none = await shared("query", sql=sql, limit=0)
    assert (none["rows"], none["truncated"]) == ([], True)
    empty = await shared("query", sql="SELECT 1 AS a WHERE false")
    assert (empty["columns"], empty["truncated"]) == (["a"], False)


@pytest.mark.parametrize("settings", [{"max_rows": 1_500}])
async def test_too_many_rows_are_an_error_not_a_cut(db):
    sql = "SELECT * FROM generate_series(1, $1::int) AS n"
    assert len(await db.rows(sql, 1_500)) == 1_500
    failure = await db.failure("query", sql=sql, args=[1_501])
    assert failure.kind is FailureKind.INVALID
    assert "more than 1500 rows" in failure.message
    failure = await db.failure("execute", sql=sql, args=[1_501])
    assert "more than 1500 rows" in failure.message


@pytest.mark.parametrize("tool", ["query", "execute"])
@pytest.mark.parametrize(
    "sql", ["COPY t FROM STDIN", "-- x\n/* y */ copy (SELECT 1) to\n stdout (FORMAT csv)"]
)
async def test_rows_do_not_get_lost_in_a_copy(t, tool, sql):
    assert "execute_many" in (await t.failure(tool, sql=sql)).message


@pytest.mark.slow
async def test_a_hundred_thousand_rows_come_back_exactly(t):
    await t("execute", sql="CREATE TABLE big (n int8, v text, d numeric(20, 4), j jsonb)")
    rows = [
        {
            "n": n * 10**12 if n * 10**12 < 2**53 else str(n * 10**12),
            "v": f"text {n} é",
            "d": f"{n}.{n % 10_000:04d}",
            "j": {"n": [n, None]},
        }
        for n in range(100_000)
    ]
    await t(
        "execute",
        sql="INSERT INTO big SELECT (e->>'n')::int8, e->>'v', (e->>'d')::numeric, e->'j'"
        " FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS x(e, o) ORDER BY o",
        args=[rows],
    )
    found = await t("query", sql="SELECT * FROM big ORDER BY n")
    assert found["count"] == 100_000
    assert found["rows"] == rows


@pytest.mark.parametrize("settings", [{"max_connections": 20}])
async def test_a_thousand_queries_at_once(t):
    async def one(n: int) -> object:
        return await t.rows("SELECT $1::int AS n, (SELECT count(*) FROM t) AS c", n)

    answers = await asyncio.gather(*(one(n) for n in range(1_000)))
    assert answers == [[{"n": n, "c": 0}] for n in range(1_000)]
    assert t.client.pool.state.size <= 20


@pytest.mark.parametrize("settings", [{"max_connections": 1}])
@pytest.mark.parametrize("tool", ["query", "execute"])
async def test_cancelling_stops_the_statement_and_frees_the_connection(t, tool, postgresql_server):
    name = f"waits for {tool}"
    running = asyncio.create_task(t(tool, sql=f"/* {name} */ SELECT pg_sleep(3600)"))
    watcher = await postgresql_server.connect()
    active = (
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active'"
        " AND query LIKE '/* waits for %' AND datname = $1"
    )
    database = t.client.settings.database
    while not await watcher.fetchval(active, database):
        assert not running.done()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await t.value("SELECT 1") == 1
    assert await watcher.fetchval(active, database) == 0
    await watcher.close()


async def test_a_shape_that_cannot_be_is_refused_before_the_query_runs(t):
    sql = "SELECT 1 / (SELECT 0) AS a, 2 AS b"  # to run it is an error of its own
    for given in ({"shape": "column"}, {"shape": "keyed", "key": "c"}):
        failure = await t.failure("query", sql=sql, **given)
        assert (failure.kind, "division" in failure.message) == (FailureKind.INVALID, False)
