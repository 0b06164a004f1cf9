"""The planners ask the server, and the server changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drawloom.connectors.databases.postgresql import connector
from drawloom.connectors.databases.postgresql.connection import PostgresqlConnection
from drawloom.sdk import ToolError
from drawloom.sdk.doors import Doors
from drawloom.sdk.planning import Touch


@pytest.fixture
async def client(postgresql: dict[str, Any], tmp_path: Path) -> Any:
    made = PostgresqlConnection(**{**postgresql, "max_connections": 2})
    async with made.open(Doors(tmp_path)) as client:
        async with client.writing() as connection:
            await connection.execute("create table orders (id int, name text)")
            await connection.execute(
                "insert into orders select n, 'a' from generate_series(1,9) n"
            )
        yield client


async def told(client: Any, tool: str, **args: Any) -> list[tuple[str, str]]:
    planner: Any = connector.tools[f"postgresql.{tool}"].planner
    touches: list[Touch] = await planner(client, **args)
    return [(touch.does, touch.what) for touch in touches]


async def count(client: Any) -> int:
    async with client.reading() as connection:
        return int(await connection.fetchval("select count(*) from orders"))


@pytest.mark.parametrize(
    ("sql", "args", "touches"),
    [
        ("select * from orders where id < $1", [3], [("reads", "rows of orders")]),
        ("select 1", [], [("reads", "no table")]),
        ("insert into orders values (1)", [], [("creates", "rows of orders")]),
        (
            "delete from orders where id = $1",
            [3],
            [("deletes", "rows of orders"), ("reads", "rows of orders")],
        ),
        (
            "update orders set name = 'b'",
            [],
            [("changes", "rows of orders"), ("reads", "rows of orders")],
        ),
        (
            "drop table orders",
            [],
            [("runs", "drop table orders (the server does not explain it)")],
        ),
        (
            "analyze select 1",
            [],
            [("runs", "analyze select 1 (the server does not explain it)")],
        ),
    ],
)
async def test_a_statement_is_explained_and_not_run(
    client: Any, sql: str, args: list[Any], touches: list[tuple[str, str]]
) -> None:
    assert await told(client, "execute", sql=sql, args=args) == touches
    assert await count(client) == 9


async def test_a_stream_is_explained_by_its_select(client: Any) -> None:
    sql = "select * from orders where id < $1"
    assert await told(client, "stream", sql=sql, args=[3], key="id") == [
        ("reads", "rows of orders")
    ]


async def test_many_lists_of_values(client: Any) -> None:
    [touch] = await told(
        client, "execute_many", sql="insert into orders values ($1)", args=[[1], [2]]
    )
    assert touch == ("creates", "rows of orders, for each of 2 lists of values")
    assert await told(client, "execute_many", sql="insert into orders values ($1)", args=[]) == []
    assert await count(client) == 9


async def test_a_statement_that_is_wrong_is_told(client: Any) -> None:
    planner: Any = connector.tools["postgresql.query"].planner
    with pytest.raises(Exception, match="nowhere"):
        await planner(client, sql="select * from nowhere")
    with pytest.raises(ToolError, match="has 1 parameters"):
        await planner(client, sql="select $1::int", args=[])


async def test_copies(postgresql: dict[str, Any], tmp_path: Path) -> None:
    made = PostgresqlConnection(**postgresql, folder=".")
    async with made.open(Doors(tmp_path)) as client:
        async with client.writing() as connection:
            await connection.execute("create table orders (id int, name text)")
        (tmp_path / "old.csv").write_text("id\n1\n")
        rows: Any = [{"id": 1}, {"id": 2}]
        read = ("reads", "rows of orders")
        sql = "select * from orders where id = $1"
        where = {"column": "id", "op": "eq", "value": 1}
        assert await told(client, "copy_in", table="orders", rows=rows) == [
            ("creates", "rows of orders")
        ]
        assert await told(client, "copy_in", table="orders", rows=None) == [
            ("creates", "rows of orders, as many as come")
        ]
        assert await told(client, "copy_from_file", table="orders", path="old.csv") == [
            ("reads", "bytes of old.csv"),
            ("creates", "rows of orders, as many as the file has"),
        ]
        assert await told(client, "copy_to_file", path="new.csv", sql=sql, args=[1]) == [
            read,
            ("creates", "new.csv"),
        ]
        assert await told(client, "copy_to_file", path="old.csv", table="orders", where=where) == [
            read,
            ("changes", "old.csv; now 5 bytes"),
        ]
        with pytest.raises(ToolError, match="there is no file"):
            await told(client, "copy_from_file", table="orders", path="new.csv")
        with pytest.raises(ToolError, match="there is no table 'nowhere'"):
            await told(client, "copy_from_file", table="nowhere", path="old.csv")
        assert (tmp_path / "old.csv").read_text() == "id\n1\n"
        assert not (tmp_path / "new.csv").exists()
        async with client.reading() as connection:
            assert await connection.fetchval("select count(*) from orders") == 0


async def test_tables_without_sql(db):
    await db("execute", sql="CREATE TABLE t (id int PRIMARY KEY, n int)")
    await db("execute", sql="INSERT INTO t SELECT n, n FROM generate_series(1, 1000) AS n")
    await db("execute", sql="ANALYZE t", autocommit=True)
    one = {"column": "id", "op": "eq", "value": 7}
    rows = [{"id": 1, "n": 2}, {"id": 2, "n": 3}]

    async def told(tool: str, **given: Any) -> list[tuple[str, str, int | None]]:
        found = await connector.tools[f"postgresql.{tool}"].planner(db.client, **given)
        return [(touch.does, touch.what, touch.count) for touch in found]

    assert await told("select", table="t") == [("reads", "rows of t", 1_000)]
    assert await told("update", table="t", values={"n": 1}, where=one) == [
        ("changes", "rows of t", 1)
    ]
    assert await told("delete", table="t", all=True) == [("deletes", "rows of t", 1_000)]
    assert await told("insert", table="t", rows=rows) == [("creates", "rows of t", 2)]
    assert await told("upsert", table="t", rows=rows, key=["id"]) == [("changes", "rows of t", 2)]
    operations = [
        {"do": "delete", "table": "t", "where": one},
        {"do": "execute", "sql": "SELECT * FROM t"},
        {"do": "insert", "table": "t", "rows": rows},
    ]
    assert await told("transaction", operations=operations) == [
        ("deletes", "rows of t", 1),
        ("reads", "rows of t", 1_000),
        ("creates", "rows of t", 2),
    ]
    assert await db.value("SELECT count(*) FROM t") == 1_000
