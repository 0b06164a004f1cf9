"""Typed forms with both drivers: what goes in comes out, and what would change is refused."""

from __future__ import annotations

import pytest

from drawloom.errors import FailureKind

TYPES = """CREATE TABLE t (
  id bigint unsigned PRIMARY KEY, yes bool, amount decimal(40, 20), ratio double, name varchar(20),
  day date, at datetime(6), seen timestamp(3) NULL, took time(6), since year, flags bit(5),
  raw blob, mood enum('sad', 'glad'), tags set('a', 'b'), doc json, made int AS (1) VIRTUAL)"""
ROW = {
    "id": "18446744073709551615", "yes": 1, "amount": "0.10000000000000000001", "ratio": 0.1,
    "name": "☃ 'x\\", "day": "2026-01-31", "at": "2026-01-31T10:20:30.123456",
    "seen": "2026-01-31T10:20:30.123Z", "took": "-100:00:00.500000", "since": 2026,
    "flags": "00101", "raw": "AP8n", "mood": "glad", "tags": ["a", "b"], "doc": {"a": [1, "x"]},
}  # fmt: skip


async def test_a_row_of_every_type_there_and_back(db):
    await db.run(TYPES)
    given = {**ROW, "yes": True, "seen": "2026-01-31T11:20:30.123+01:00"}
    assert await db("insert", table="t", rows=[given]) == {"count": 1, "last_id": None}
    assert (await db("select", table="t", columns=list(ROW)))["rows"] == [ROW]
    nulls = {**dict.fromkeys(ROW), "id": 1}
    await db("insert", table="t", rows=[nulls])
    where = [{"column": "id", "op": "eq", "value": 1}]
    assert (await db("select", table="t", columns=list(ROW), where=where))["rows"] == [nulls]


BAD = [
    ("id", "12x"), ("id", -1), ("id", 1.5), ("id", True), ("id", 2**64), ("amount", "1e5"),
    ("amount", "0.000000000000000000001"), ("amount", True), ("ratio", "0.1"), ("ratio", 2**53 + 1),
    ("name", 5), ("name", "x" * 21), ("day", "2026-02-30"), ("day", "2026-01-31T00:00:00"),
    ("day", "0000-00-00"), ("at", "2026-01-31T10:20:30Z"), ("at", "2026-01-31T10:20:30.1234567"),
    ("seen", "2026-01-31T10:20:30"), ("seen", "2026-01-31T10:20:30.1234Z"), ("took", "10:61:00"),
    ("took", "900:00:00"), ("since", "soon"), ("flags", "102"), ("flags", "111111"), ("raw", "?"),
    ("raw", 5), ("mood", "bad"), ("tags", ["c"]), ("tags", "a"), ("tags", ["a,b"]), ("made", 1),
    ("nope", 1), ("id; DROP TABLE t", 1), ("`id`", 1),
]  # fmt: skip


async def test_what_does_not_fit_a_column_is_refused(db):
    await db.run(TYPES)
    for column, value in BAD:
        failure = await db.failure("insert", table="t", rows=[{"id": 1, column: value}])
        assert failure.kind is FailureKind.INVALID, (column, value)
    assert await db.value("SELECT COUNT(*) FROM t") == 0


PEOPLE = "CREATE TABLE people (id int AUTO_INCREMENT PRIMARY KEY, name varchar(9) UNIQUE, age int)"


@pytest.fixture
async def people(db):
    await db.run(PEOPLE)
    rows = [{"name": "ada", "age": 36}, {"name": "alan", "age": 41}, {"name": "bob", "age": None}]
    assert await db("insert", table="people", rows=rows) == {"count": 3, "last_id": 1}
    return db


WHERE = [
    ([("name", "eq", "ada")], [1]),
    ([("name", "ne", "ada")], [2, 3]),
    ([("age", "lt", 41)], [1]),
    ([("age", "le", 41), ("id", "gt", 1)], [2]),
    ([("age", "ge", "41")], [2]),
    ([("id", "in", [1, 3, 9])], [1, 3]),
    ([("id", "in", [])], []),
    ([("id", "not_in", [1])], [2, 3]),
    ([("id", "not_in", [])], [1, 2, 3]),
    ([("id", "between", [2, 3])], [2, 3]),
    ([("name", "like", "a%")], [1, 2]),
    ([("name", "not_like", "a%")], [3]),
    ([("age", "is_null")], [3]),
    ([("age", "not_null")], [1, 2]),
    ([{"any": [("id", "eq", 1), ("age", "is_null")]}, ("id", "gt", 1)], [3]),
]


def said(one):
    if isinstance(one, dict):
        return {"any": [said(inner) for inner in one["any"]]}
    return dict(zip(("column", "op", "value"), one, strict=False))


async def test_every_operator(people):
    for where, found in WHERE:
        given = {"table": "people", "where": [said(one) for one in where]}
        rows = await people("select", **given, columns=["id"], order_by=[{"column": "id"}])
        assert [row["id"] for row in rows["rows"]] == found, where
        operations = [
            {"do": "update", **given, "set": {"age": 5}},
            {"do": "delete", "table": "people", "where": [said(("age", "eq", 5))]},
            {"do": "update", "table": "people", "where": [said(("id", "in", found))],
             "set": {"age": 1}, "expect": 1},
        ]  # fmt: skip
        # The last one fails, and so undoes what the others did.
        failure = await people.failure("transaction", operations=operations)
        assert failure.message.startswith("0 rows"), where
        assert await people.value("SELECT COUNT(*) FROM people WHERE age = 5") == 0


async def test_an_update_that_changes_nothing_still_finds_its_rows(people):
    where = [{"column": "name", "op": "like", "value": "a%"}]
    for _ in range(2):
        assert await people("update", table="people", set={"age": 5}, where=where) == {
            "changes": 2
        }


NO_CONDITIONS = [
    {"column": "age", "op": "eq", "value": None},
    {"column": "age", "op": "eq"},
    {"column": "age", "op": "is_null", "value": 1},
    {"column": "age", "op": "in", "value": 5},
    {"column": "age", "op": "in", "value": [None]},
    {"column": "age", "op": "between", "value": [1]},
    {"column": "age", "op": "eq", "value": "1 OR 1=1"},
    {"column": "age", "op": "like", "value": 1},
    {"column": "1=1 OR age", "op": "eq", "value": 1},
    {"column": "`age`", "op": "is_null"},
]


async def test_a_condition_that_is_none(people):
    for condition in NO_CONDITIONS:
        for tool, given in [("delete", {}), ("select", {}), ("update", {"set": {"age": 1}})]:
            failure = await people.failure(tool, table="people", where=[condition], **given)
            assert failure.kind is FailureKind.INVALID, condition
    assert await people.value("SELECT COUNT(*) FROM people") == 3


async def test_delete_and_what_was_expected(people):
    where = [{"column": "id", "op": "le", "value": 2}]
    failure = await people.failure("delete", table="people", where=where, expect=1)
    assert (failure.kind, failure.message[:6]) == (FailureKind.CONFLICT, "2 rows")
    assert await people("delete", table="people", where=where, expect=2) == {"changes": 2}
    assert await people("delete", table="people", where=where) == {"changes": 0}


async def test_upsert_by_its_key(db):
    await db.run("CREATE TABLE t (a int, b int, v text, w text, PRIMARY KEY (a, b))")
    rows = [{"a": 1, "b": 1, "v": "x"}, {"a": 1, "b": 2, "v": "y"}, {"a": 1, "b": 1, "v": "z"}]
    for _ in range(2):
        done = await db("upsert", table="t", rows=rows, key=["b", "a"])
        assert done == {"count": 3, "last_id": None}
    await db.run("UPDATE t SET w = 'kept'")
    await db("upsert", table="t", rows=[{"a": 1, "b": 1, "v": "q"}], key=["a", "b"])
    assert await db.rows("SELECT b, v, w FROM t ORDER BY b") == [
        {"b": 1, "v": "q", "w": "kept"},
        {"b": 2, "v": "y", "w": "kept"},
    ]
    await db("upsert", table="t", rows=[{"a": 1, "b": 1}], key=["a", "b"])


@pytest.mark.parametrize(
    ("rows", "key", "message"),
    [
        ([{"id": 1, "name": "eve"}], ["id"], "could also collide on the unique index 'name'"),
        ([{"name": "eve"}], ["id"], "the rows have no 'id'"),
        ([{"age": 1}], ["age"], "no primary key or unique index of just age"),
        ([{"name": "eve", "age": 1}], ["nope"], "no column 'nope'"),
    ],
)
async def test_an_upsert_that_could_change_another_row(people, rows, key, message):
    failure = await people.failure("upsert", table="people", rows=rows, key=key)
    assert failure.kind is FailureKind.INVALID
    assert message in failure.message
    assert (await people("upsert", table="people", rows=[{"name": "ada"}], key=["name"]))["count"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"name": "a"}, {"age": 1}], "rows[1]: has 'age'"),
        ([{"name": "a", "age": 1}, {"name": "b"}], "rows[1]: has no 'age'"),
        ([{}], "rows[0]: has no field"),
        ([{"name": "a", "Name": "b"}], "names a column twice"),
        ([{"name": "a"}, {"name": 5}], "rows[1].name: expected a text"),
    ],
)
async def test_rows_that_do_not_agree(people, rows, message):
    failure = await people.failure("insert", table="people", rows=rows)
    assert failure.kind is FailureKind.INVALID
    assert message in failure.message
    assert await people.value("SELECT COUNT(*) FROM people") == 3


async def test_tables_that_are_missing_or_cannot_roll_back(db):
    await db.run("CREATE TABLE m (a int) ENGINE = MyISAM")
    failure = await db.failure("insert", table="m", rows=[{"a": 1}])
    assert failure.kind is FailureKind.INVALID
    assert "MyISAM, which cannot roll back" in failure.message
    for name in ("nope", "`m`", "m; DROP TABLE m", "mysql.user"):
        failure = await db.failure("insert", table=name, rows=[{"a": 1}])
        assert failure.kind is FailureKind.MISSING
    assert await db("insert", table="nope", rows=[]) == {"count": 0, "last_id": None}


async def test_many_rows_go_in_by_several_statements_or_not_at_all(db):
    await db.run("CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, v text)")
    rows = [{"v": "x" * 1_000} for _ in range(2_500)]
    assert await db("insert", table="t", rows=rows) == {"count": 2_500, "last_id": 1}
    failure = await db.failure("insert", table="t", rows=[*rows, {"v": 1}])
    assert "rows[2500].v" in failure.message
    assert await db.value("SELECT COUNT(*) FROM t") == 2_500


@pytest.mark.slow
async def test_a_document_of_five_megabytes(db):
    await db.run("CREATE TABLE t (v longtext)")
    text = "☃" * 1_750_000
    await db("insert", table="t", rows=[{"v": text}])
    assert await db.value("SELECT v FROM t WHERE v = ?", text) == text


@pytest.mark.parametrize("settings", [{"max_connections": 1}])
async def test_a_limit_of_a_table_costs_no_connection(db):
    """The server is told the limit, so that no rows are left unread."""
    await db.run("CREATE TABLE t (id int)", "INSERT INTO t SELECT seq FROM seq_1_to_9")
    first = await db.value("SELECT CONNECTION_ID()")
    cut = await db("select", table="t", limit=3)
    assert (cut["count"], cut["truncated"]) == (3, True)
    assert not (await db("select", table="t", limit=9))["truncated"]
    assert await db.value("SELECT CONNECTION_ID()") == first
