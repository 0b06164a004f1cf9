"""The planners ask the server, and the server changes nothing."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from drawloom.connectors.databases.mysql import connector
from drawloom.errors import FailureKind, ToolError


async def told(db: Any, tool: str, **args: Any) -> list[tuple[str, str]]:
    planner: Any = connector.tools[f"mysql.{tool}"].planner
    return [(touch.does, touch.what) for touch in await planner(db.client, **args)]


@pytest.mark.parametrize(
    ("sql", "args", "touches"),
    [
        ("select * from orders where id < ?", [3], [("reads", "rows of orders")]),
        ("select 1", [], [("reads", "no table")]),
        ("insert into orders values (1, 'a')", [], [("creates", "rows of orders")]),
        ("delete from orders where id = ?", [3], [("deletes", "rows of orders")]),
        ("update orders set name = 'b'", [], [("changes", "rows of orders")]),
        (
            "drop table orders",
            [],
            [("runs", "drop table orders (the server does not explain it)")],
        ),
    ],
)
async def test_a_statement_is_explained_and_not_run(db, sql, args, touches):
    await db.run("CREATE TABLE orders (id int, name text)", "INSERT INTO orders VALUES (3, 'a')")
    assert await told(db, "execute", sql=sql, args=args) == touches
    assert await db.rows("SELECT * FROM orders") == [{"id": 3, "name": "a"}]
    [touch, *_] = await told(db, "execute_many", sql=sql, args=[args])
    assert "for each of 1 lists" in touch[1]


async def test_typed_tools_count_what_they_would_find(db):
    await db.run(
        "CREATE TABLE orders (id int, name text)", "INSERT INTO orders VALUES (3, 'a'), (4, 'b')"
    )
    where = [{"column": "id", "op": "gt", "value": 3}]
    row = {"table": "orders", "rows": [{"id": 9, "name": "x"}]}
    planner: Any = connector.tools["mysql.transaction"].planner
    touches = await planner(db.client, operations=[
        {"do": "insert", **row},
        {"do": "upsert", **row, "key": ["id"]},
        {"do": "attempt", "operations": [{"do": "delete", "table": "orders", "where": where}]},
        {"do": "update", "table": "orders", "set": {"id": 1}, "where": where},
        {"do": "execute", "sql": "DELETE FROM orders"},
    ])  # fmt: skip
    assert [(touch.does, touch.count) for touch in touches] == [
        ("creates", 1), ("changes", 1), ("deletes", 1), ("changes", 1), ("deletes", None)
    ]  # fmt: skip
    assert await told(db, "select", table="orders") == [("reads", "rows of orders")]
    assert await told(db, "stream", sql="SELECT * FROM orders", key="id")
    assert (await told(db, "call", routine="p"))[0][0] == "runs"
    assert await db.value("SELECT COUNT(*) FROM orders") == 2


@pytest.mark.parametrize(
    ("rows", "key", "does", "what", "count"),
    [
        ([{"id": 1}, {"id": 2}], None, "creates", "rows of orders", 2),
        ([{"id": 1}], ["id"], "changes", "rows of orders, or creates them", 1),
        ({"$stream": {"step": "s"}}, None, "creates", "rows of orders", None),
    ],
)
async def test_a_load_tells_what_would_go_in(db, rows, key, does, what, count):
    await db.run("CREATE TABLE orders (id int PRIMARY KEY)")
    planner: Any = connector.tools["mysql.load"].planner
    [touch] = await planner(db.client, table="orders", rows=rows, key=key)
    assert (touch.does, touch.what, touch.count) == (does, what, count)
    assert await db.value("SELECT COUNT(*) FROM orders") == 0


@pytest.mark.parametrize("tool", ["insert", "upsert", "load"])
async def test_a_table_that_is_not_there_is_told_by_the_plan(db, tool):
    planner: Any = connector.tools[f"mysql.{tool}"].planner
    with pytest.raises(ToolError) as raised:
        await planner(
            db.client, table="nope", rows=[], **({"key": ["id"]} if tool == "upsert" else {})
        )
    assert raised.value.failure.kind is FailureKind.MISSING


PLAN = """
chain: c
connections: {db: mysql}
steps:
  rows: {use: mysql.stream, on: db, with: {sql: "SELECT id FROM orders", key: id}}
  copy: {use: mysql.load, on: db, with: {table: copies, rows: "${steps.rows}"}}
"""


async def test_the_plan_of_a_chain_that_loads_a_stream(db, mysql, tmp_path):
    await db.run("CREATE TABLE orders (id int PRIMARY KEY)", "CREATE TABLE copies LIKE orders")
    (tmp_path / "drawloom.toml").write_text(
        f'[connections.db]\nkind = "mysql"\nhost = "{mysql["host"]}"\nport = {mysql["port"]}\n'
        f'user = "{mysql["user"]}"\ndatabase = "{mysql["database"]}"\n'
    )
    (tmp_path / "c.yaml").write_text(PLAN)
    child = [sys.executable, "-c", "from drawloom.cli import main; main()", "plan", "c.yaml"]
    process = await asyncio.create_subprocess_exec(
        *child, cwd=tmp_path, stdout=asyncio.subprocess.PIPE
    )
    said = (await process.communicate())[0].decode()
    assert "creates rows of copies" in " ".join(said.split()), said
