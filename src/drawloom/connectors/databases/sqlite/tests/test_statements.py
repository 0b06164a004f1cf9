"""query, execute and transaction."""

from __future__ import annotations

import asyncio

import pytest

from drawloom.errors import FailureKind

# Texts that break programs which paste values into SQL, JSON or the shell.
INJECTIONS = [
    "'; DROP TABLE t; --",
    '"; DROP TABLE t; --',
    "' OR '1'='1",
    "\\'; DROP TABLE t; --",
    "1; ATTACH 'other.db' AS other",
    "?1 :name $x @y",
    "%s %(x)s {0} {x}",
    "${input.days} {{ 7*7 }}",
    "null\x00byte",
    "line\nbreak\r\ttab",
    "ünï¢ödé 漢字 🧵 \u202e",
    "-- comment",
    "/* comment",
    "NULL",
    "",
    " ",
]

LOOP = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) c FROM n"


@pytest.fixture
async def t(db):
    await db("execute", sql="CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
    return db


@pytest.mark.parametrize("text", INJECTIONS)
async def test_a_value_is_only_ever_a_value(t, text):
    await t("execute", sql="INSERT INTO t (v) VALUES (?)", args=[text])
    assert await t.rows("SELECT v FROM t WHERE v = :v", {"v": text}) == [{"v": text}]


async def test_values_come_back_exactly(t):
    values = [0, 2**53 - 1, -(2**53) + 1, 0.1, 1e308, 5e-324, "x", None]
    for value in values:
        await t("execute", sql="INSERT INTO t (v) VALUES (?)", args=[value])
    assert [row["v"] for row in await t.rows("SELECT v FROM t ORDER BY id")] == values


async def test_what_json_cannot_say_is_written_down(t):
    sql = "SELECT 9007199254740992 AS big, x'00ff' AS blob, 9e999 AS inf, -9e999 AS low, 0.0 AS f"
    assert await t.rows(sql) == [
        {
            "big": "9007199254740992",
            "blob": "AP8=",
            "inf": "Infinity",
            "low": "-Infinity",
            "f": 0.0,
        }
    ]


async def test_base64_becomes_a_blob(t):
    assert await t.rows("SELECT hex(from_base64(?)) AS h", ["AP8="]) == [{"h": "00FF"}]
    failure = await t.failure("query", sql="SELECT from_base64(?)", args=["not base64!"])
    assert failure.kind is FailureKind.INVALID


async def test_a_list_goes_in_as_json(t):
    sql = "SELECT value FROM json_each(:ids) ORDER BY 1"
    assert await t.rows(sql, {"ids": [3, 1, 2]}) == [{"value": 1}, {"value": 2}, {"value": 3}]


@pytest.mark.parametrize(
    ("sql", "args", "says"),
    [
        ("SELECT ?, ? AS b", [1], "has 2 parameters, args has 1"),
        ("SELECT 1", [1], "has 0 parameters, args has 1"),
        ("SELECT :a", {"b": 1}, "args lacks a"),
        ("SELECT :a", {"a": 1, "b": 2}, "no parameter 'b'"),
        ("SELECT :a", [1], "args as an object"),
        ("SELECT ?", {"a": 1}, "args as a list"),
        ("SELECT 1 AS a, 2 AS a", None, "two columns named 'a'"),
        ("SELECT 1; SELECT 2", None, "one statement"),
        ("-- nothing", None, "no statement"),
        ("SELEC 1", None, "syntax error"),
        ('SELECT "nope" FROM t', None, "no such column"),
    ],
)
async def test_what_is_wrong_is_said(t, sql, args, says):
    failure = await t.failure("query", sql=sql, args=args)
    assert failure.kind is FailureKind.INVALID
    assert says in failure.message


async def test_a_comment_after_the_statement_is_no_second_one(t):
    assert await t.rows("SELECT 1 AS a; -- that is all\n") == [{"a": 1}]


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t (v) VALUES (1)",
        "DELETE FROM t",
        "CREATE TABLE u (a)",
        "WITH x AS (SELECT 1) INSERT INTO t (v) SELECT * FROM x",
        "PRAGMA user_version = 7",
    ],
)
async def test_query_cannot_write(t, sql):
    failure = await t.failure("query", sql=sql)
    assert failure.kind in (FailureKind.INVALID, FailureKind.DENIED)
    assert await t.rows("SELECT count(*) AS n FROM t") == [{"n": 0}]


async def test_a_reader_is_open_for_reading_only(t):
    """Behind the check of the statement stands the connection itself."""
    with pytest.raises(Exception, match="readonly"):
        await t.database.read(lambda handle: handle.apsw.execute("DELETE FROM t"))


@pytest.mark.parametrize("tool", ["query", "execute"])
@pytest.mark.parametrize(
    "sql",
    [
        "ATTACH 'other.db' AS other",
        "ATTACH ('oth' || 'er.db') AS other",
        "ATTACH '' AS other",
        "DETACH main",
        "VACUUM INTO 'other.db'",
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT s",
        "PRAGMA query_only = 0",
        "PRAGMA writable_schema = 1",
        "PRAGMA journal_mode = OFF",
        "PRAGMA foreign_keys = OFF",
        "PRAGMA temp_store_directory = '.'",
        "PRAGMA trusted_schema = 1",
        "SELECT load_extension('other')",
        "SELECT fts3_tokenizer('simple')",
        "UPDATE sqlite_schema SET sql = ''",
        "CREATE TEMP TABLE t (a)",
    ],
)
async def test_sql_stays_in_its_file_and_its_transaction(t, tmp_path, tool, sql):
    failure = await t.failure(tool, sql=sql)
    assert failure.kind in (FailureKind.DENIED, FailureKind.INVALID)
    assert {p.name for p in tmp_path.iterdir()} <= {"test.db", "test.db-wal", "test.db-shm"}
    assert not t.database._writer.apsw.in_transaction


async def test_execute_counts_what_it_changed(t):
    done = await t("execute", sql="INSERT INTO t (v) VALUES (1), (2) RETURNING id, v")
    assert done == {
        "changes": 2,
        "rows": [{"id": 1, "v": 1}, {"id": 2, "v": 2}],
        "columns": ["id", "v"],
    }
    assert (await t("execute", sql="CREATE TABLE u (a)"))["changes"] == 0
    assert (await t("execute", sql="UPDATE t SET v = 3 WHERE id > 5"))["changes"] == 0


async def test_a_transaction_is_all_or_nothing(t):
    insert = {"sql": "INSERT INTO t (id, v) VALUES (?, ?)"}
    done = await t("transaction", statements=[{**insert, "args": [n, "x"]} for n in (1, 2)])
    assert done["changes"] == 2
    failure = await t.failure(
        "transaction", statements=[{**insert, "args": [3, "x"]}, {**insert, "args": [1, "x"]}]
    )
    assert (failure.kind, failure.details["statement"]) == (FailureKind.CONFLICT, 1)
    assert "statements[1]" in failure.message
    assert await t.rows("SELECT count(*) AS n FROM t") == [{"n": 2}]


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("INSERT INTO c (id, t) VALUES (1, 99)", FailureKind.CONFLICT),  # foreign key
        ("INSERT INTO c (id, n) VALUES (1, NULL)", FailureKind.INVALID),
        ("INSERT INTO c (id, n) VALUES (1, -1)", FailureKind.INVALID),
        ("INSERT INTO c (id, n) VALUES (0, 1)", FailureKind.CONFLICT),
        ("INSERT INTO nowhere VALUES (1)", FailureKind.MISSING),
        ("SELECT abs(-9223372036854775808)", FailureKind.INVALID),
    ],
)
async def test_faults_have_their_kind(t, sql, kind):
    await t(
        "execute",
        sql="CREATE TABLE c (id INTEGER PRIMARY KEY, t REFERENCES t, n NOT NULL DEFAULT 1"
        " CHECK (n > 0))",
    )
    await t("execute", sql="INSERT INTO c (id) VALUES (0)")
    assert (await t.failure("execute", sql=sql)).kind is kind


async def test_limit_tells_the_truth(t):
    await t("execute", sql="INSERT INTO t (v) VALUES (1), (2), (3)")
    cut = await t("query", sql="SELECT id FROM t", limit=2)
    assert (cut["count"], len(cut["rows"]), cut["truncated"]) == (2, 2, True)
    whole = await t("query", sql="SELECT id FROM t", limit=3)
    assert (whole["count"], whole["truncated"]) == (3, False)
    assert (await t("query", sql="SELECT id FROM t WHERE 0", limit=0))["columns"] == ["id"]


@pytest.mark.parametrize("settings", [{"max_rows": 2}])
async def test_too_many_rows_are_an_error_not_a_cut(t):
    await t("execute", sql="INSERT INTO t (v) VALUES (1), (2), (3)")
    failure = await t.failure("query", sql="SELECT id FROM t")
    assert failure.kind is FailureKind.INVALID
    assert "more than 2 rows" in failure.message
    failure = await t.failure("execute", sql="UPDATE t SET v = 9 RETURNING id")
    assert "more than 2 rows" in failure.message
    assert await t.rows("SELECT count(*) AS n FROM t WHERE v = 9") == [{"n": 0}]


async def test_text_that_is_not_utf8_is_an_error(t):
    failure = await t.failure("query", sql="SELECT CAST(x'ff41' AS TEXT) AS bad")
    assert failure.kind is FailureKind.INVALID


@pytest.mark.slow
async def test_a_hundred_thousand_rows_come_back_exactly(t):
    wanted = [{"id": n, "v": n * 7919 if n % 3 else f"text {n}"} for n in range(100_000)]
    await t("append", table="t", rows=wanted)
    found = await t("query", sql="SELECT id, v FROM t ORDER BY id")
    assert found["count"] == 100_000
    assert found["rows"] == wanted


async def test_a_thousand_queries_at_once(t):
    await t("execute", sql="INSERT INTO t (id, v) VALUES (1, 0)")
    sql = "SELECT ? AS n, (SELECT count(*) FROM t) AS c"
    answers = await asyncio.gather(*(t.rows(sql, [n]) for n in range(1_000)))
    assert answers == [[{"n": n, "c": 1}] for n in range(1_000)]


async def test_writers_wait_for_each_other(t):
    await t("execute", sql="INSERT INTO t (id, v) VALUES (1, 0)")
    add = {"sql": "UPDATE t SET v = v + 1 WHERE id = 1"}
    await asyncio.gather(*(t("execute", **add) for _ in range(100)))
    assert await t.rows("SELECT v FROM t") == [{"v": 100}]


@pytest.mark.parametrize("settings", [{"timeout": 0.2}])
@pytest.mark.parametrize("tool", ["query", "execute"])
async def test_a_statement_that_never_ends_is_stopped(t, tool):
    failure = await t.failure(tool, sql=LOOP)
    assert (failure.kind, failure.harmless) == (FailureKind.TIMEOUT, True)
    assert await t.rows("SELECT count(*) AS n FROM t") == [{"n": 0}]


@pytest.mark.parametrize("settings", [{"readers": 1, "timeout": 3_600}])
@pytest.mark.parametrize("tool", ["query", "execute"])
async def test_cancelling_frees_the_connection(t, tool):
    started, loop = asyncio.Event(), asyncio.get_running_loop()

    def tell() -> int:
        loop.call_soon_threadsafe(started.set)
        return 1

    enter = t.database.read if tool == "query" else t.database.write
    await enter(lambda handle: handle.apsw.create_scalar_function("tell", tell, 0))
    running = asyncio.create_task(t(tool, sql=LOOP.replace("SELECT 1", "SELECT tell()")))
    await started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await t.rows("SELECT count(*) AS n FROM t") == [{"n": 0}]
    assert (await t("execute", sql="INSERT INTO t (v) VALUES (1)"))["changes"] == 1
