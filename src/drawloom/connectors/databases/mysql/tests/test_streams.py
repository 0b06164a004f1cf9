"""A SELECT as a stream: each row once, in the order of its key, from any cursor on."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from drawloom.connectors.databases.mysql import connector
from drawloom.errors import Failure, FailureKind
from drawloom.sdk import Context, name_fault
from drawloom.sdk.contract import read_checked

TOOL = connector.tools["mysql.stream"]


async def read(db: Any, batch: int, after: Any = None, **given: Any) -> list[Any]:
    """The rows, the stream being opened anew at the cursor of each chunk."""
    chunks = await read_checked(TOOL, db.client, batch=batch, after=after, **given)
    assert all(len(chunk) == batch for chunk in chunks[:-1])
    return [row for chunk in chunks for row in chunk]


async def failing(db: Any, batch: int = 2, **given: Any) -> Failure:
    with pytest.raises(Exception) as raised:
        await read(db, batch, **given)
    return name_fault(connector.faults, raised.value)


KEYS = [
    ("smallint", "-1, 0, 7"),
    ("bigint", "-9223372036854775808, 9007199254740993, 9007199254740994"),
    ("bigint unsigned", "0, 9007199254740993, 18446744073709551614, 18446744073709551615"),
    ("decimal(40, 20)", "0.1, 0.10000000000000000001, 12345678901234567890.5"),
    ("double", "-1e300, 0.1, 0.3, 0.30000000000000004"),
    ("varchar(9)", "'', 'a', 'b', 'é''', '\"', '☃', '\\\\', '0'"),
    ("varchar(9) collate utf8mb4_bin", "'a', 'A', 'b', 'é'"),
    ("text", "'a', 'b', 'ab'"),
    ("varbinary(9)", "x'', x'00', x'00ff', x'ff'"),
    ("date", "'2026-01-31', '2026-02-01'"),
    ("time(6)", "'-838:59:59', '10:20:30', '10:20:30.000001', '100:00:00'"),
    ("datetime(6)", "'2026-01-31 10:20:30.000001', '2026-01-31 10:20:30.000002'"),
    ("timestamp(6)", "'2026-01-31 10:20:30.123456', '2026-01-31 10:20:30.2'"),
    ("year", "1999, 2026"),
    ("bit(5)", "b'0', b'1', b'11111'"),
]


async def test_a_key_of_any_type_survives_as_a_cursor(db: Any) -> None:
    for number, (kind, values) in enumerate(KEYS):
        listed = ", ".join(f"({value})" for value in values.split(", "))
        await db.run(
            f"CREATE TABLE t{number} (k {kind})", f"INSERT INTO t{number} VALUES {listed}"
        )
        sql = f"SELECT k FROM t{number}"
        expected = await db.rows(f"{sql} ORDER BY k")
        assert len(expected) == values.count(", ") + 1
        for batch in (1, 2):
            assert await read(db, batch, sql=sql, key="k") == expected, kind


@pytest.mark.parametrize("batch", [1, 3, 4, 100])
async def test_a_key_of_several_columns(db: Any, batch: int) -> None:
    sql = "SELECT seq DIV 4 AS a, seq % 4 AS b, ? AS note FROM seq_0_to_9"
    given = {"sql": sql, "args": ["x"], "key": ["a", "b"]}
    rows = await read(db, batch, **given)
    assert rows == [{"a": n // 4, "b": n % 4, "note": "x"} for n in range(10)]
    assert await read(db, batch, [1, 2], **given) == rows[7:]


@pytest.mark.parametrize("column", ["q", "again", "w", "a`b", "x); DROP TABLE t; --", "Select"])
async def test_a_column_may_have_any_name(db: Any, column: str) -> None:
    named = "`" + column.replace("`", "``") + "`"
    sql = f"SELECT seq AS {named}, 1 AS again_ FROM seq_1_to_3"
    rows = await read(db, 1, sql=sql, key=[column])
    assert rows == [{column: n, "again_": 1} for n in (1, 2, 3)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 AS n;",
        "SELECT 1 AS n -- one",
        "SELECT 1 AS n; \n",
        "(SELECT 1 AS n)",
        "WITH one AS (SELECT 1 AS n) SELECT n FROM one ORDER BY n LIMIT 5",
    ],
)
async def test_a_select_is_taken_however_it_is_written(shared: Any, sql: str) -> None:
    assert await read(shared, 2, sql=sql, key="n") == [{"n": 1}]


@pytest.mark.parametrize(
    ("sql", "key", "kind", "message"),
    [
        ("SELECT 1 AS a, 2 AS b", "c", FailureKind.INVALID, "no column 'c'; it has a, b"),
        ("SELECT 1 AS a", ["a", "a"], FailureKind.INVALID, "a column twice"),
        ("SELECT 1 AS a, 2 AS a", "a", FailureKind.INVALID, "Duplicate column name 'a'"),
        ("SELECT 1 AS a UNION SELECT NULL", "a", FailureKind.INVALID, "is null in a row"),
        ("SELECT ? AS a", "a", FailureKind.INVALID, "has 1 parameters, args has 0"),
        ("SELECT * FROM nowhere", "a", FailureKind.MISSING, "nowhere"),
        ("SELECT 1 AS a) AS q, (SELECT 2 AS b", "a", FailureKind.INVALID, "Not unique"),
        ("SHOW TABLES", "a", FailureKind.INVALID, "syntax"),
        ("DELETE FROM t", "a", FailureKind.DENIED, "only reads"),
        ("SELECT e AS a FROM t", "a", FailureKind.INVALID, "ENUM is sorted"),
        ("SELECT f AS a FROM t", "a", FailureKind.INVALID, "FLOAT comes rounded"),
    ],
)
async def test_what_cannot_be_a_stream_is_told(
    db: Any, sql: str, key: Any, kind: FailureKind, message: str
) -> None:
    await db.run("CREATE TABLE t (e enum('x'), f float)")
    failure = await failing(db, sql=sql, key=key)
    assert failure.kind is kind
    assert message in failure.message


@pytest.mark.parametrize("batch", [1, 2, 1_000])
async def test_a_key_that_repeats_is_told(db: Any, batch: int) -> None:
    """It would be lost behind the cursor. The server says what is equal: a is A."""
    await db.run(
        "CREATE TABLE t (k varchar(9) COLLATE utf8mb4_general_ci)",
        "INSERT INTO t SELECT LPAD(seq, 4, '0') FROM seq_1_to_1000",
        "INSERT INTO t VALUES ('a'), ('A')",
    )
    after = [f"{998 // batch * batch:04}"]
    failure = await failing(db, batch, sql="SELECT k FROM t", key="k", after=after)
    assert failure.kind is FailureKind.INVALID
    assert "does not tell the rows apart: two have (" in failure.message


@pytest.mark.parametrize("settings", [{"max_connections": 1}])
@pytest.mark.parametrize("batch", [300, 1_200])
async def test_no_connection_is_held_while_the_chain_works(db: Any, batch: int) -> None:
    """The pool has but one."""
    sizes = []
    context = Context(batch=batch)
    given = {"sql": "SELECT seq AS n FROM seq_1_to_2500", "key": "n", "context": context}
    async with aclosing(TOOL.function(db.client, **given)) as chunks:
        async for chunk in chunks:
            sizes.append(len(chunk.items))
            async with asyncio.timeout(10):
                assert await db.value("SELECT 1") == 1
    assert (sum(sizes), max(sizes)) == (2_500, batch)
