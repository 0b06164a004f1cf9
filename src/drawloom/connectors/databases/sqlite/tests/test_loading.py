"""append, upsert, replace and tables."""

from __future__ import annotations

import pytest

from drawloom.errors import FailureKind

NAMES = [
    'quo"te',
    "semi; DROP TABLE x; --",
    "sp ace",
    "select",
    "'single'",
    "[brackets]",
    "`ticks`",
    "漢字",
    "a.b",
    "?1",
    "${x}",
]


@pytest.mark.parametrize("name", NAMES)
async def test_any_name_is_a_name(db, name):
    rows = [{name: 1, "id": 1}]
    assert (await db("replace", table=name, rows=rows))["created"]
    await db("upsert", table=f"{name}2", rows=rows, key=[name])
    [described] = (await db("tables", table=name))["tables"]
    assert described["name"] == name
    assert [column["name"] for column in described["columns"]] == [name, "id"]
    quoted = name.replace('"', '""')
    assert await db.rows(f'SELECT * FROM "{quoted}"') == rows


@pytest.mark.parametrize("name", ["nul\0", "x" * 300])
async def test_what_is_no_name_is_refused(db, name):
    assert (await db.failure("append", table=name, rows=[{"a": 1}])).kind is FailureKind.INVALID
    failure = await db.failure("append", table="t", rows=[{name: 1}])
    assert failure.kind is FailureKind.INVALID
    assert (await db("tables"))["tables"] == []


async def test_the_rows_tell_the_types(db):
    rows = [
        {"i": 1, "f": 0.5, "mixed": 1, "t": "007", "j": [1, {"a": None}], "b": True, "any": 1},
        {"i": 2, "f": None, "mixed": 2.5, "t": "x", "j": {}, "b": False, "any": "1"},
    ]
    await db("append", table="t", rows=rows)
    [table] = (await db("tables", table="t"))["tables"]
    types = {column["name"]: column["type"] for column in table["columns"]}
    assert types == {
        "i": "INTEGER",
        "f": "REAL",
        "mixed": "NUMERIC",
        "t": "TEXT",
        "j": "TEXT",
        "b": "INTEGER",
        "any": "",
    }
    assert await db.rows("SELECT * FROM t") == [
        {**rows[0], "j": '[1,{"a":null}]', "b": 1},
        {**rows[1], "j": "{}", "b": 0},
    ]


@pytest.mark.parametrize(
    ("declared", "value", "stored"),
    [
        ("INTEGER", "9223372036854775807", "9223372036854775807"),
        ("INTEGER", 5.0, 5),
        ("INTEGER", True, 1),
        ("REAL", 5, 5.0),
        ("BLOB", "AP8=", "AP8="),
        ("NUMERIC", 1.5, 1.5),
        ("NUMERIC", "2026-11-23", "2026-11-23"),
        ("", "007", "007"),
        ("TEXT", "1e3", "1e3"),
    ],
)
async def test_a_column_keeps_what_it_is_given(db, declared, value, stored):
    await db("append", table="t", rows=[{"v": value}], columns={"v": declared})
    assert await db.rows("SELECT v FROM t") == [{"v": stored}]


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("INTEGER", "007"),
        ("INTEGER", "9223372036854775808"),
        ("INTEGER", 1.5),
        ("INTEGER", "x"),
        ("REAL", "0.1"),
        ("REAL", True),
        ("TEXT", 1),
        ("BLOB", "no base64!"),
        ("BLOB", 1),
        ("NUMERIC", "1.50"),
        ("NUMERIC", "1e3"),
    ],
)
async def test_a_value_that_would_change_is_refused(db, declared, value):
    failure = await db.failure(
        "append", table="t", rows=[{"v": None}, {"v": value}], columns={"v": declared}
    )
    assert failure.kind is FailureKind.INVALID
    assert "rows[1].v" in failure.message
    assert (await db("tables"))["tables"] == [], "the table was made in the same transaction"


async def test_an_existing_column_decides(db):
    await db("execute", sql="CREATE TABLE t (id INTEGER PRIMARY KEY, name VARCHAR(20))")
    assert not (await db("append", table="T", rows=[{"ID": "12", "name": "x"}]))["created"]
    assert await db.rows("SELECT * FROM t") == [{"id": 12, "name": "x"}]
    failure = await db.failure("append", table="t", rows=[{"id": 1, "nmae": "x"}])
    assert "no column 'nmae'; it has id, name" in failure.message


async def test_append_adds_all_rows_or_none(db):
    await db("execute", sql="CREATE TABLE t (id INTEGER PRIMARY KEY)")
    await db("append", table="t", rows=[{"id": 1}])
    failure = await db.failure("append", table="t", rows=[{"id": 2}, {"id": 1}])
    assert failure.kind is FailureKind.CONFLICT
    assert await db.rows("SELECT id FROM t") == [{"id": 1}]


async def test_upsert_twice_is_upsert_once(db):
    rows = [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}, {"id": 1, "v": "c"}]
    for _ in range(2):
        await db("upsert", table="t", rows=rows, key=["id"])
        found = await db.rows("SELECT * FROM t ORDER BY id")
        assert found == [{"id": 1, "v": "c"}, {"id": 2, "v": "b"}]


async def test_upsert_leaves_other_columns_alone(db):
    await db("execute", sql="CREATE TABLE t (id INTEGER PRIMARY KEY, v, kept)")
    await db("execute", sql="INSERT INTO t VALUES (1, 'a', 'kept')")
    await db("upsert", table="t", rows=[{"id": 1, "v": "b"}], key=["id"])
    assert await db.rows("SELECT * FROM t") == [{"id": 1, "v": "b", "kept": "kept"}]


async def test_upsert_refuses_what_would_not_be_idempotent(db):
    failure = await db.failure("upsert", table="t", rows=[{"id": None, "v": 1}], key=["id"])
    assert "part of the key" in failure.message
    await db("append", table="no_key", rows=[{"id": 1}])
    failure = await db.failure("upsert", table="no_key", rows=[{"id": 1}], key=["id"])
    assert failure.kind is FailureKind.INVALID
    failure = await db.failure("upsert", table="t", rows=[{"v": 1}], key=["id"])
    assert "which no row has" in failure.message


async def test_upsert_of_key_columns_only(db):
    for _ in range(2):
        await db("upsert", table="t", rows=[{"a": 1, "b": 2}], key=["a", "b"])
    assert await db.rows("SELECT * FROM t") == [{"a": 1, "b": 2}]


async def test_replace_makes_rows_the_whole_content(db):
    for rows in ([{"a": 1}, {"a": 2}], [{"a": 3}], [{"a": 3}]):
        await db("replace", table="t", rows=rows)
        assert await db.rows("SELECT a FROM t ORDER BY a") == rows
    failure = await db.failure("replace", table="t", rows=[{"a": "x"}])
    assert failure.kind is FailureKind.INVALID
    assert await db.rows("SELECT a FROM t") == [{"a": 3}], "the old content is still there"
    await db("replace", table="t", rows=[], columns={"a": "INTEGER"})
    assert await db.rows("SELECT a FROM t") == []


async def test_a_missing_field_is_never_a_silent_null(db):
    rows = [{"a": 1, "b": 2}, {"a": 3}]
    failure = await db.failure("append", table="t", rows=rows)
    assert "rows[1] has no 'b'" in failure.message
    await db("append", table="t", rows=rows, missing="null")
    assert await db.rows("SELECT * FROM t") == [{"a": 1, "b": 2}, {"a": 3, "b": None}]


async def test_a_table_is_not_made_unasked(db):
    failure = await db.failure("append", table="t", rows=[{"a": 1}], create=False)
    assert failure.kind is FailureKind.MISSING
    failure = await db.failure("append", table="t", rows=[])
    assert failure.kind is FailureKind.INVALID
    failure = await db.failure("append", table="t", rows=[{"x": 1}], columns={"a": "TEXT"})
    assert "`columns` does not name" in failure.message


async def test_tables_tells_everything(db):
    await db("execute", sql="CREATE TABLE p (a TEXT, b INTEGER, PRIMARY KEY (b, a))")
    await db(
        "execute",
        sql="CREATE TABLE c (id INTEGER PRIMARY KEY, b INT NOT NULL DEFAULT 3, a TEXT,"
        " twice INT AS (b * 2), FOREIGN KEY (b, a) REFERENCES p (b, a), UNIQUE (a))",
    )
    await db("execute", sql="CREATE VIEW v AS SELECT a FROM p")
    found = {table["name"]: table for table in (await db("tables"))["tables"]}
    assert {name: table["kind"] for name, table in found.items()} == {
        "c": "table",
        "p": "table",
        "v": "view",
    }
    assert [c["key"] for c in found["p"]["columns"]] == [2, 1]
    assert found["c"]["foreign_keys"] == [
        {"columns": ["b", "a"], "table": "p", "references": ["b", "a"]}
    ]
    assert found["c"]["unique"] == [["a"]]
    columns = {column["name"]: column for column in found["c"]["columns"]}
    assert columns["twice"]["generated"]
    assert (columns["b"]["nullable"], columns["b"]["default"]) == (False, "3")
    assert (await db.failure("tables", table="nope")).kind is FailureKind.MISSING
