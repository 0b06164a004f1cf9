"""Files into tables and out of them by COPY: whole or not at all, inside the folder."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from drawloom.connectors.databases.postgresql import connector
from drawloom.connectors.databases.postgresql.tests.test_hostile import REFUSED, TEXTS
from drawloom.errors import FailureKind
from drawloom.sdk import Context, name_fault

MAKE = (
    "CREATE TABLE t (id int8 PRIMARY KEY, note text, n numeric, at timestamptz, b bytea, l int[],"
    " j jsonb)"
)
FILL = (
    "INSERT INTO t SELECT n, CASE n % 3 WHEN 0 THEN NULL WHEN 1 THEN E'a,\"b\\n' ELSE '' END,"
    " n / 7.0, '2026-01-31T10:20:30.000001Z', '\\xff00', ARRAY[n, NULL],"
    " jsonb_build_object('k', E'é☃\\n') FROM generate_series(1, 1000) AS n"
)


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "in").mkdir()
    return {"folder": "in", "max_file_bytes": 4 << 20}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "in"


@pytest.fixture
async def full(db: Any) -> Any:
    await db("execute", sql=MAKE)
    await db("execute", sql=FILL)
    return db


@pytest.mark.parametrize("form", ["csv", "text", "binary"])
async def test_what_was_written_is_read_again_exactly(full, folder, form):
    done = await full(
        "copy_to_file", path="sub/t", table="t", order=[{"column": "id"}], format=form
    )
    assert done == {"path": "sub/t", "bytes": (folder / "sub/t").stat().st_size, "count": 1_000}
    await full("execute", sql="CREATE TABLE u (LIKE t)")
    assert await full("copy_from_file", table="u", path="sub/t", format=form) == {"count": 1_000}
    differing = "SELECT count(*) FROM (TABLE t EXCEPT TABLE u) AS d"
    assert await full.value(differing) == 0
    assert await full.value("SELECT count(*) FROM u") == 1_000


@pytest.mark.parametrize(
    ("given", "content"),
    [
        ({"table": "t", "columns": ["note", "id"]}, 'note,id\n"a,""b\n",1\n"",2\n,3\n'),
        ({"sql": "SELECT id FROM t ORDER BY 1; "}, "id\n1\n2\n3\n"),
        ({"sql": "SELECT id FROM t WHERE id > $1 -- $2", "args": [1]}, "id\n2\n3\n"),
        ({"sql": "VALUES (NULL, 1)", "header": False, "null": "-", "delimiter": ";"}, "-;1\n"),
        ({"sql": "SELECT id, note FROM t WHERE id > 1", "format": "text"}, "2\t\n3\t\\N\n"),
        ({"sql": "SELECT id FROM t WHERE false"}, "id\n"),
        (
            {"table": "t", "columns": ["id"], "where": {"column": "id", "op": "in", "value": [2]}},
            "id\n2\n",
        ),
    ],
)
async def test_what_is_written(full, folder, given, content):
    await full("execute", sql="DELETE FROM t WHERE id > 3")
    done = await full("copy_to_file", path="t.csv", **given)
    assert (folder / "t.csv").read_text() == content
    assert done["bytes"] == len(content)


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("bool", True),
        ("int8", "9007199254740993"),
        ("numeric", "12345678901234567890.10"),
        ("float8", 0.1),
        ("text", "'\\\"$1"),
        ("bpchar", "abc"),
        ("bit", "1"),
        ("timestamptz", "2026-01-31T10:20:30.000001+00:00"),
        ("interval", "P1M2DT3.5S"),
        ("bytea", "AP8="),
        ("jsonb", {"x": [1, None, "'"]}),
        ("numeric[]", ["1.10", None]),
        ("int4range", {"lower": 1, "upper": 5, "lower_inc": True, "upper_inc": False}),
        ("mood", "so 'so'"),
        ('"Odd""Type"', {"n": 1, "m": None}),
        ("text", None),
        ("text", ""),
    ],
)
async def test_every_kind_of_value_is_the_same_as_in_a_query(db, folder, type_, value):
    await db("execute", sql="CREATE TYPE mood AS ENUM ('so ''so''')")
    await db("execute", sql='CREATE TYPE "Odd""Type" AS (n int, m text)')
    sql = f"SELECT $1::{type_} AS v, $2::text AS w, '$1' AS x, $$ $2 $$ AS y /* $1 /* */ $2 */"
    asked = {"sql": f"{sql}, pg_typeof($1)::text AS z", "args": [value, "b"]}
    await db("copy_to_file", path="v.csv", format="text", **asked)
    await db("execute", sql=f"CREATE TABLE v (v {type_}, w text, x text, y text, z text)")
    await db("copy_from_file", table="v", path="v.csv", format="text")
    assert await db.rows("TABLE v") == await db.rows(asked["sql"], *asked["args"])


async def test_what_the_query_fails_at_leaves_the_old_file(full, folder):
    (folder / "t.csv").write_text("old")
    for given, kind in (
        ({"sql": "SELECT 1 / (5000 - n) FROM generate_series(1, 9000) AS n"}, FailureKind.INVALID),
        ({"sql": "SELECT repeat('x', 1000) FROM generate_series(1, 9000)"}, FailureKind.INVALID),
        ({"sql": "SELECT pg_sleep(9)", "deadline": 0.05}, FailureKind.TIMEOUT),
        ({"sql": "DELETE FROM t RETURNING id"}, FailureKind.DENIED),
        ({"sql": "SELECT nope FROM t"}, FailureKind.INVALID),
        ({"table": "tt"}, FailureKind.MISSING),
    ):
        failure = await full.failure("copy_to_file", path="t.csv", **given)
        assert failure.kind is kind, failure
    assert [(one.name, one.read_text()) for one in folder.iterdir()] == [("t.csv", "old")]
    assert await full.value("SELECT count(*) FROM t") == 1_000


async def test_a_call_that_is_cancelled_leaves_nothing(full, folder):
    asked = {"path": "t.csv", "sql": "SELECT n, pg_sleep(0.001) FROM generate_series(1, 60000) n"}
    task = asyncio.create_task(full("copy_to_file", **asked))
    under_way = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY (SELECT n, pg_sl%'"
    while not await full.value(under_way):
        assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert list(folder.iterdir()) == []
    assert await full.value("SELECT 1") == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "give `sql`"),
        ({"sql": "SELECT 1", "table": "t"}, "give `sql`"),
        ({"table": "t", "args": []}, "give `sql`"),
        ({"sql": "SELECT 1", "columns": ["id"]}, "give `sql`"),
        ({"sql": "SELECT $1::int"}, "has 1 parameters"),
        ({"sql": "SELECT 1", "args": [1]}, "has 0 parameters"),
        ({"sql": "SELECT $1::int", "args": ["x"]}, "args[0] ($1): 'x'"),
        ({"sql": "SELECT 1", "format": "binary", "null": ""}, "binary has no"),
        ({"sql": "SELECT 1", "format": "text", "header": True}, "format: csv alone"),
        ({"sql": "SELECT 1", "delimiter": "1", "format": "text"}, "delimiter"),
        ({"sql": "COPY t TO STDOUT"}, "COPY"),
        ({"sql": "SET x = 1"}, "syntax error"),
        ({"sql": "SELECT 1; SELECT 2"}, "multiple commands"),
    ],
)
async def test_what_is_no_sound_call(full, given, message):
    failure = await full.failure("copy_to_file", path="t.csv", **given)
    assert failure.kind is FailureKind.INVALID
    assert message in failure.message


async def test_without_a_folder(postgresql, full, folder):
    full.client._folder = None
    for tool in ("copy_to_file", "copy_from_file"):
        assert "`folder`" in (await full.failure(tool, path="t.csv", table="t")).message


FIELDS = {
    "the header names them": ("note,id\nx,1\n", {}),
    "a mark of the encoding": ("\ufeffid,note\n1,x\n", {}),
    "columns instead of the header": ("a,b\n1,x\n", {"columns": ["id", "note"]}),
    "no header": ("1,x\n", {"columns": ["id", "note"], "header": False}),
    "all columns": ("1,x,,,,,\n", {"header": False}),
    "another delimiter": ("id;note\n1;x\n", {"delimiter": ";"}),
    "another null": ("id,note,n\n1,x,-\n", {"null": "-"}),
    "the other line ends": ("id,note\r\n1,x\r\n", {}),
    "text": ("1\tx\n", {"format": "text", "columns": ["id", "note"]}),
    "a header of two lines": ('id,note,"n"\n1,x,\n', {}),
}


@pytest.mark.parametrize("case", FIELDS)
async def test_which_columns_the_fields_are_of(db, folder, case):
    content, given = FIELDS[case]
    await db("execute", sql=MAKE)
    (folder / "t.csv").write_bytes(content.encode())
    assert await db("copy_from_file", table="t", path="t.csv", **given) == {"count": 1}
    assert await db.rows("SELECT id, note, n FROM t") == [{"id": 1, "note": "x", "n": None}]


BAD = {
    "a value": ("id,note\n1,x\nq,y\n", {}, FailureKind.INVALID, ["line 3, column id", '"q"']),
    "behind a field of two lines": (
        'id,note\n1,"x\ny"\nq,y\n',
        {},
        FailureKind.INVALID,
        ["line 4"],
    ),
    "too few fields": ("id,note\n1\n", {}, FailureKind.INVALID, ["line 2", "missing data"]),
    "the key again": ("id\n1\n2\n1\n", {}, FailureKind.CONFLICT, ["line 4", "duplicate"]),
    "no such column": ("id,noted\n1,x\n", {}, FailureKind.INVALID, ["'noted'", "mean 'note'"]),
    "a column twice": ("id,id\n1,1\n", {}, FailureKind.INVALID, ["'id' is named twice"]),
    "nothing": ("", {}, FailureKind.INVALID, ["no header"]),
    "not UTF-8": (b"id,note\n1,\xff\n", {}, FailureKind.INVALID, ["line 2", "encoding"]),
    "no such table": ("id\n1\n", {"table": "tt"}, FailureKind.MISSING, ["did you mean 't'"]),
    "too long": (
        b"id,note\n" + b"1,x\n" * (2 << 20),
        {},
        FailureKind.INVALID,
        ["over the limit of 4194304 bytes"],
    ),
}


@pytest.mark.parametrize("case", BAD)
async def test_what_is_refused_is_named_and_leaves_nothing(db, folder, case):
    content, given, kind, told = BAD[case]
    await db("execute", sql=MAKE)
    (folder / "t.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    failure = await db.failure("copy_from_file", **{"table": "t", "path": "t.csv", **given})
    assert failure.kind is kind
    for one in told:
        assert one in failure.message
    assert await db.value("SELECT count(*) FROM t") == 0


async def test_a_file_goes_in_once(db, folder):
    await db("execute", sql="CREATE TABLE t (id int)")
    (folder / "t.csv").write_text("id\n" + "".join(f"{n}\n" for n in range(200_000)))
    given = {"table": "t", "path": "t.csv", "context": Context(key="run/step")}
    first = await db("copy_from_file", **given)
    (folder / "t.csv").unlink()
    assert await db("copy_from_file", **given) == first == {"count": 200_000}
    assert await db.value("SELECT count(*) FROM t") == 200_000


async def test_a_deadline_ends_a_copy_into_a_table(db, folder):
    await db("execute", sql="CREATE TABLE t (id int CHECK (pg_sleep(9) IS NOT NULL))")
    (folder / "t.csv").write_text("id\n1\n2\n")
    failure = await db.failure("copy_from_file", table="t", path="t.csv", deadline=0.05)
    assert failure.kind is FailureKind.TIMEOUT
    assert await db.value("SELECT count(*) FROM t") == 0


SERVERS_OWN = [
    "SELECT 1) TO PROGRAM 'touch {0}' --",
    "SELECT 1) TO '{0}' --",
    "SELECT 1) TO '{0}' (FORMAT csv); --",
    "SELECT 1)\nTO PROGRAM 'touch {0}'; COPY (SELECT 1",
    "COPY (SELECT 1) TO '{0}'",
    "COPY t FROM PROGRAM 'touch {0}'",
    "SELECT 1 /* ) TO '{0}' --",
]


@pytest.mark.parametrize("sql", SERVERS_OWN)
async def test_the_server_opens_no_file_and_runs_no_program(full, tmp_path, folder, sql):
    outside = tmp_path / "outside"
    sql = sql.format(outside)
    assert (await full.failure("copy_to_file", path="t.csv", sql=sql)).kind is FailureKind.INVALID
    assert (await full.failure("copy_to_file", path="t.csv", table=sql)).kind in REFUSED
    (folder / "t.csv").write_text("id\n")
    assert (await full.failure("copy_from_file", path="t.csv", table=sql)).kind in REFUSED
    assert not outside.exists()


@pytest.mark.parametrize("path", ["../t.csv", "/etc/passwd", "a/../../t", "link/t.csv"])
async def test_nothing_outside_the_folder_is_reached(full, tmp_path, folder, path):
    (folder / "link").symlink_to(tmp_path)
    (tmp_path / "t.csv").write_text("id\n1\n")
    for tool in ("copy_to_file", "copy_from_file"):
        failure = await full.failure(tool, path=path, table="t")
        assert failure.kind in {FailureKind.INVALID, FailureKind.DENIED}
    assert (tmp_path / "t.csv").read_text() == "id\n1\n"


@pytest.mark.parametrize("text", TEXTS)
async def test_texts_that_would_be_sql(full, folder, text):
    sql = "SELECT '$1' AS a, $1::text AS b, E'\\'$1' AS c, $x$ $1 $x$ AS \"$1\""
    await full("copy_to_file", path="v", sql=sql, args=[text], format="binary")
    await full("execute", sql="CREATE TABLE v (a text, b text, c text, d text)")
    await full("copy_from_file", table="v", path="v", format="binary")
    assert await full.rows("TABLE v") == [{"a": "$1", "b": text, "c": "'$1", "d": " $1 "}]
    (folder / "t.csv").write_text("id\n7000\n")
    for tool, given in (
        ("copy_to_file", {"table": text}),
        ("copy_to_file", {"table": "t", "schema": text}),
        ("copy_to_file", {"table": "t", "columns": [text]}),
        ("copy_to_file", {"table": "t", "order": [{"column": text}]}),
        ("copy_from_file", {"table": text}),
        ("copy_from_file", {"table": "t", "columns": [text]}),
    ):
        assert (await full.failure(tool, path="t.csv", **given)).kind in REFUSED, given
    marked = {"path": "u.csv", "table": "t", "columns": ["id"], "null": text[:100]}
    try:
        await full("copy_to_file", **marked)
    except Exception as exc:  # noqa: BLE001  # the server takes no line ends and no comma in it
        assert name_fault(connector.faults, exc).kind is FailureKind.INVALID
    assert await full.value("SELECT count(*) FROM t") == 1_000
