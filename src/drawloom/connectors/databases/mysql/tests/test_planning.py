"""The planners ask the server, and the server changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from drawloom.connectors.databases.mysql import connector


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
