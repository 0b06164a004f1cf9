"""Each type both ways, with both drivers: exact, or refused."""

from __future__ import annotations

import pytest

from drawloom.connectors.databases.mysql.reading import Reader
from drawloom.connectors.databases.mysql.values import Column, read_cell
from drawloom.errors import FailureKind, ToolError
from drawloom.sdk.encoding import write_json

TYPES = [
    ("BIGINT", "9007199254740991", 9007199254740991),
    ("BIGINT", "-9223372036854775808", "-9223372036854775808"),
    ("BIGINT UNSIGNED", "18446744073709551615", "18446744073709551615"),
    ("TINYINT UNSIGNED", "255", 255),
    ("BOOL", "TRUE", 1),
    (
        "DECIMAL(65, 30)",
        "'0.100000000000000000000000000001'",
        "0.100000000000000000000000000001",
    ),
    ("DECIMAL(9, 2)", "1.5", "1.50"),
    ("DOUBLE", "0.30000000000000004e0", 0.30000000000000004),
    ("FLOAT", "0.1", 0.1),
    ("DATE", "'2026-01-31'", "2026-01-31"),
    ("DATETIME(6)", "'2026-01-31 10:20:30.123456'", "2026-01-31T10:20:30.123456"),
    ("DATETIME(6)", "'2026-01-31 10:20:30'", "2026-01-31T10:20:30"),
    ("TIMESTAMP(6)", "'2026-01-31 10:20:30.000001'", "2026-01-31T10:20:30.000001Z"),
    ("TIMESTAMP", "'2026-01-31 10:20:30'", "2026-01-31T10:20:30Z"),
    ("TIME(6)", "'-838:59:58.5'", "-838:59:58.500000"),
    ("TIME", "'100:00:01'", "100:00:01"),
    ("YEAR", "2026", 2026),
    ("BIT(5)", "b'101'", "00101"),
    ("BIT(64)", "b'1'", "0" * 63 + "1"),
    ("BLOB", "x'00ff27'", "AP8n"),
    ("VARBINARY(9)", "'a'", "YQ=="),
    ("ENUM('x', 'y')", "'y'", "y"),
    ("SET('a', 'b', 'c')", "'c,a'", ["a", "c"]),
    ("SET('a', 'b')", "''", []),
    ("TEXT", "'☃ 🧶 é'", "☃ 🧶 é"),
    ("VARCHAR(9)", "''", ""),
]


async def test_a_value_comes_as_it_is(db):
    for number, (kind, sql, expected) in enumerate(TYPES):
        await db.run(f"CREATE TABLE t{number} (v {kind})")
        await db.run(f"INSERT INTO t{number} VALUES ({sql}), (NULL)")
        said = await db("query", sql=f"SELECT v FROM t{number} ORDER BY v IS NULL", shape="column")
        assert said["rows"] == [expected, None], kind


@pytest.mark.parametrize("text", ["0000-00-00", "2026-00-10", "2026-01-00"])
async def test_a_day_that_is_none_is_refused(db, mysql_server, text):
    await mysql_server.run(
        "SET sql_mode = ''",
        "CREATE TABLE t (d date, at datetime, n int)",
        f"INSERT INTO t VALUES ('{text}', '{text}', 1)",
        database=db.client.settings.database,
    )
    for column in ("d", "at"):
        failure = await db.failure("query", sql=f"SELECT n, {column} FROM t")
        assert failure.kind is FailureKind.INVALID
        assert text in failure.message
    assert await db.value("SELECT n FROM t") == 1, "the connection, or another, goes on"
    failure = await db.failure("execute", sql=f"INSERT INTO t (d) VALUES ('{text}')")
    assert failure.kind is FailureKind.INVALID


@pytest.mark.parametrize(
    "value",
    [0, -1, 2**63, 1.5, 1e300, 5e-324, True, "", "a'b", 'a"b', "a\\b", "\\'", "\0\x1a\n\r", "?", "%s",
     "☃ 🧶", "' OR 1=1 -- ", "x" * 100_000],
)  # fmt: skip
async def test_a_parameter_is_just_this_value(shared, value):
    expected = str(value) if isinstance(value, int) and abs(value) > 2**53 else value
    assert await shared.value("SELECT ? AS v", value) == expected


async def test_a_null_parameter(shared):
    assert await shared.value("SELECT ? IS NULL AS v", None) == 1


async def test_marks_in_texts_and_comments_are_no_parameters(shared):
    sql = """SELECT '?' AS a, "it''s ?" AS b, `q`.`x?` AS c, ? AS d -- what?
        FROM (SELECT 1 AS `x?`) AS q /* ? */ # ?"""
    assert await shared.rows(sql, 7) == [{"a": "?", "b": "it''s ?", "c": 1, "d": 7}]


async def test_a_list_for_in(shared):
    sql = "SELECT 2 IN (?) AS a, 2 NOT IN ( ? ) AS b"
    assert await shared.rows(sql, [1, 2], [1]) == [{"a": 1, "b": 1}]
    assert await shared.rows(sql, [], []) == [{"a": 0, "b": 1}]
    assert await shared.value("SELECT ? AS v", [1, "a"]) == '[1,"a"]', "elsewhere it is JSON text"


@pytest.mark.parametrize(
    ("sql", "args", "message"),
    [
        ("SELECT ?", [], "has 1 parameters, args has 0"),
        ("SELECT 'a", [], "' is not closed"),
        ("SELECT 1 /* a", [], "/* is not closed"),
        ("SELECT 1 /*! + 1 */", [], "comment that the server runs"),
        ("SELECT 1 /*M! + 1 */", [], "comment that the server runs"),
        ("SELECT 1 AS a, 2 AS a", [], "two columns named 'a'"),
        ("SELECT 1 IN (?)", [[[1]]], "single values"),
        ("SELECT 1; SELECT 2", [], "SQL syntax"),
    ],
)
async def test_what_cannot_be_bound_is_refused(shared, sql, args, message):
    failure = await shared.failure("query", sql=sql, args=args)
    assert failure.kind is FailureKind.INVALID
    assert message in failure.message


async def test_what_would_lose_something_is_refused(db):
    await db.run("CREATE TABLE t (n int, s varchar(3), d datetime(3), e decimal(5, 2))")
    await db.run("INSERT INTO t VALUES (12, '12x', NULL, 1)")
    for sql, args in [
        ("SELECT n FROM t WHERE n = ?", ["12x"]),
        ("SELECT n FROM t WHERE s = ?", [12]),
    ]:
        failure = await db.failure("query", sql=sql, args=args)
        assert (failure.kind, "ncorrect" in failure.message) == (FailureKind.INVALID, True)
    for column, value in [("n", "12x"), ("n", 1.5e99), ("s", "four"), ("e", "1.005"),
                          ("d", "2026-01-31T10:20:30.1234567"), ("d", "2026-02-30")]:  # fmt: skip
        sql = f"INSERT INTO t ({column}) VALUES (?)"
        failure = await db.failure("execute", sql=sql, args=[value])
        assert failure.kind is FailureKind.INVALID, (column, value)
    assert await db.value("SELECT COUNT(*) FROM t") == 1


async def test_numbers_of_a_column_are_exact_each_for_itself(shared):
    """A column is looked at as a whole, and its numbers one by one where that does not do."""
    sql = "SELECT 1 AS n, 0.5e0 AS f UNION ALL SELECT 9007199254740992, -1.5e300 UNION ALL SELECT"
    rows = (await shared("query", sql=f"{sql} NULL, NULL", shape="arrays"))["rows"]
    assert rows == [[1, 0.5], ["9007199254740992", -1.5e300], [None, None]]
    all_null = await shared("query", sql="SELECT CAST(NULL AS SIGNED) AS n, NULL AS f")
    assert all_null["rows"] == [{"n": None, "f": None}]


def test_json_is_refused_where_it_is_too_deep_for_a_chain():
    """No server of today keeps JSON of more than 100 levels; it is none of their promises."""
    column = Column("v", "json", read_cell, lambda cells: False)
    deepest = "[" * 195 + "]" * 195
    [row] = Reader([column]).many([(deepest,)])
    assert write_json({"rows": [row]}) == f'{{"rows":[{{"v":{deepest}}}]}}'
    with pytest.raises(ToolError, match=r"the column 'v': .*195") as raised:
        Reader([column]).many([(f"[{deepest}]",)])
    assert raised.value.failure.kind is FailureKind.INVALID
