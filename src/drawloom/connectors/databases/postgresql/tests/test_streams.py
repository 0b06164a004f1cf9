"""A SELECT as a stream: each row once, in the order of its key, from any cursor on."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from drawloom.connectors.databases.postgresql import connector
from drawloom.errors import Failure, FailureKind
from drawloom.sdk import Context, name_fault
from drawloom.sdk.contract import read_checked

TOOL = connector.tools["postgresql.stream"]


async def read(db: Any, batch: int, after: Any = None, **given: Any) -> list[Any]:
    """The rows, the stream being opened anew at the cursor of each chunk."""
    chunks = await read_checked(TOOL, db.client, batch=batch, after=after, **given)
    assert all(len(chunk) == batch for chunk in chunks[:-1])
    return [row for chunk in chunks for row in chunk]


async def failing(db: Any, batch: int = 2, **given: Any) -> Failure:
    with pytest.raises(Exception) as raised:
        await read(db, batch, **given)
    return name_fault(connector.faults, raised.value)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("int2", "-1, 0, 7"),
        ("int8", "-9223372036854775808, 9007199254740993, 9007199254740994, 9223372036854775807"),
        ("numeric", "0.1, 0.10000000000000000000001, 1.50, 12345678901234567890.5, 'NaN'"),
        ("numeric(9, 2)", "1.10, 1.11, 1.20"),
        ("float4", "0.1, 0.2, 'Infinity'"),
        ("float8", "'-Infinity', 0.1, 0.30000000000000004, 0.3, 'NaN'"),
        ("text", "'', 'a', 'A', 'é', 'a''b', '\"', '☃', '\\', '0', E'\\n'"),
        ('text COLLATE "C"', "'a', 'A', 'b', 'B', 'é'"),
        ("varchar(5)", "'a', 'b', 'c'"),
        ("char(3)", "'a', 'b', 'ab'"),
        ("bool", "true, false"),
        ("uuid", "'00000000-0000-0000-0000-000000000001', 'ffffffff-0000-0000-0000-000000000000'"),
        ("bytea", r"'\x', '\x00', '\x00ff', '\xff'"),
        ("date", "'-infinity', '2026-01-31', '2026-02-01', 'infinity'"),
        ("time", "'10:20:30', '10:20:30.000001'"),
        ("timestamp", "'2026-01-31 10:20:30.000001', '2026-01-31 10:20:30.000002'"),
        ("timestamptz", "'-infinity', '2026-01-31 10:20:30.123456+01', '2026-01-31 10:20:30Z'"),
        ("interval", "'1 day', '1 month', '1 month 00:00:00.000001'"),
        ("inet", "'10.0.0.1', '10.0.0.0/8', '::1'"),
        ("int4[]", "'{}', '{1}', '{1,2}', '{2}'"),
        ("jsonb", "'1', '[]', '{\"a\": 1}', '\"x\"'"),
    ],
)
async def test_a_key_of_any_type_survives_as_a_cursor(shared: Any, kind: str, values: str) -> None:
    listed = ", ".join(f"({value})" for value in values.split(", "))
    sql = f"SELECT k::{kind} AS k FROM (VALUES {listed}) AS v (k)"
    expected = await shared.rows(f"SELECT * FROM ({sql}) AS q ORDER BY k")
    for batch in (1, 2):
        assert await read(shared, batch, sql=sql, key="k") == expected


async def test_an_enum_is_a_key_in_its_own_order(db: Any) -> None:
    await db("execute", sql="CREATE TYPE mood AS ENUM ('sad', 'fine', 'glad')")
    rows = await read(db, 1, sql="SELECT unnest(enum_range(NULL::mood)) AS k", key="k")
    assert [row["k"] for row in rows] == ["sad", "fine", "glad"]


@pytest.mark.parametrize("batch", [1, 3, 4, 100])
async def test_a_key_of_several_columns(shared: Any, batch: int) -> None:
    sql = "SELECT n / 4 AS a, n % 4 AS b, $1::text AS note FROM generate_series(0, 9) AS n"
    given = {"sql": sql, "args": ["x"], "key": ["a", "b"]}
    rows = await read(shared, batch, **given)
    assert rows == [{"a": n // 4, "b": n % 4, "note": "x"} for n in range(10)]
    assert await read(shared, batch, [1, 2], **given) == rows[7:]


@pytest.mark.parametrize("column", ["q", "again", "w", 'a"b', "x); DROP TABLE t; --", "Select"])
async def test_a_column_may_have_any_name(shared: Any, column: str) -> None:
    quoted = '"' + column.replace('"', '""') + '"'
    sql = f"SELECT n AS {quoted}, 1 AS again_ FROM generate_series(1, 3) AS n"
    rows = await read(shared, 1, sql=sql, key=[column])
    assert rows == [{column: n, "again_": 1} for n in (1, 2, 3)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 AS n;",
        "SELECT 1 AS n -- one",
        "SELECT 1 AS n; \n",
        "VALUES (1)",
        "WITH one AS (SELECT 1 AS n) SELECT n FROM one ORDER BY n LIMIT 5",
    ],
)
async def test_a_select_is_taken_however_it_is_written(shared: Any, sql: str) -> None:
    key = "column1" if sql.startswith("VALUES") else "n"
    assert await read(shared, 2, sql=sql, key=key) == [{key: 1}]


@pytest.mark.parametrize(
    ("sql", "key", "kind", "message"),
    [
        ("SELECT 1 AS a, 2 AS b", "c", FailureKind.INVALID, "no column 'c'; it has a, b"),
        ("SELECT 1 AS a", ["a", "a"], FailureKind.INVALID, "a column twice"),
        ("SELECT 1 AS a, 2 AS a", "a", FailureKind.INVALID, "two columns named 'a'"),
        ("VALUES (1), (2), (NULL)", "column1", FailureKind.INVALID, "is null in a row"),
        ("VALUES (1, 1), (2, NULL)", ["column1", "column2"], FailureKind.INVALID, "is null"),
        ("SELECT '{}'::json AS a", "a", FailureKind.INVALID, "json"),
        ("SELECT $1::int AS a", "a", FailureKind.INVALID, "has 1 parameters, args has 0"),
        ("SELECT * FROM nowhere", "a", FailureKind.MISSING, "nowhere"),
        ("SELECT 1 AS a) AS q, (SELECT 2 AS b", "a", FailureKind.INVALID, "syntax error"),
        ("SHOW all", "name", FailureKind.INVALID, "syntax error"),
        ("SELECT 1 AS a FROM pg_class FOR UPDATE", "a", FailureKind.DENIED, "read-only"),
        ("COPY t TO STDOUT", "a", FailureKind.INVALID, "COPY"),
    ],
)
async def test_what_cannot_be_a_stream_is_told(
    shared: Any, sql: str, key: Any, kind: FailureKind, message: str
) -> None:
    failure = await failing(shared, sql=sql, key=key)
    assert failure.kind is kind
    assert message in failure.message


@pytest.mark.parametrize("batch", [1, 2, 1_000])
async def test_a_key_that_repeats_is_told(shared: Any, batch: int) -> None:
    """It would be lost behind the cursor. The server says what is equal: 1.0 is 1.00."""
    sql = (
        "SELECT n::numeric AS k FROM generate_series(1, 1000) AS n"
        " UNION ALL SELECT 1000.00 UNION ALL SELECT 1000.0"
    )
    failure = await failing(shared, batch, sql=sql, key="k", after=[str(998 // batch * batch)])
    assert failure.kind is FailureKind.INVALID
    assert "does not tell the rows apart: two have (1000" in failure.message


@pytest.mark.parametrize("batch", [300, 1_200])
async def test_no_connection_is_held_while_the_chain_works(shared: Any, batch: int) -> None:
    """The pool has but one."""
    sql = "SELECT n FROM generate_series(1, 2500) AS n"
    sizes = []
    context = Context(batch=batch)
    async with aclosing(TOOL.function(shared.client, sql=sql, key="n", context=context)) as chunks:
        async for chunk in chunks:
            sizes.append(len(chunk.items))
            async with shared.client.reading() as connection, asyncio.timeout(10):
                await connection.execute("SELECT 1")
    assert sizes == [batch] * (2_500 // batch) + [2_500 % batch]


async def test_rows_that_are_added_behind_the_cursor_come_too(db: Any) -> None:
    await db("execute", sql="CREATE TABLE t (id int PRIMARY KEY)")
    await db("execute", sql="INSERT INTO t SELECT * FROM generate_series(1, 1500)")
    context = Context(batch=1_000)
    given = {"sql": "TABLE t", "key": "id", "context": context}
    async with aclosing(TOOL.function(db.client, **given)) as chunks:
        first = await anext(chunks)
        await db("execute", sql="INSERT INTO t VALUES (0), (2000)")
        rest = [row["id"] async for chunk in chunks for row in chunk.items]
    assert first.after == [1_000]
    assert rest == [*range(1_001, 1_501), 2_000]


async def test_a_connection_that_is_killed_in_the_middle(db: Any, postgresql_server: Any) -> None:
    """The pull that it breaks may be made again; it goes on behind the cursor."""
    await db("execute", sql="CREATE TABLE t (id int PRIMARY KEY)")
    await db("execute", sql="INSERT INTO t SELECT * FROM generate_series(1, 3000)")
    given = {"sql": "TABLE t", "key": "id"}
    watcher = await postgresql_server.connect(db.client.settings.database)
    context = Context(batch=1_000)
    async with aclosing(TOOL.function(db.client, **given, context=context)) as chunks:
        assert (await anext(chunks)).after == [1_000]
        await watcher.execute("BEGIN; LOCK TABLE t")
        pulled = asyncio.create_task(anext(chunks))
        await _end_whoever_waits(watcher)
        with pytest.raises(Exception) as raised:
            await pulled
    assert name_fault(connector.faults, raised.value).kind is FailureKind.TRANSIENT
    await watcher.close()
    rows = await read(db, 1_000, after=[1_000], **given)
    assert [row["id"] for row in rows] == list(range(1_001, 3_001))


async def _end_whoever_waits(watcher: Any) -> None:
    """End the server's side of the connection that waits for a lock."""
    kill = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    while not await watcher.fetch(kill):
        await watcher.execute("SELECT pg_stat_clear_snapshot()")  # it is in a transaction
