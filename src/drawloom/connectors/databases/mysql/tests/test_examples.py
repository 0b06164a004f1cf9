"""The chains of the folder are checked, and run against a real server."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from drawloom.chains import load
from drawloom.project import Project

FOLDER = Path(__file__).parents[1]
README = re.findall(r"```yaml\n(.*?)```", (FOLDER / "README.md").read_text("utf-8"), re.DOTALL)
SETTINGS = """
[connections.db]
kind = "mysql"
host = "{host}"
port = {port}
user = "{user}"
database = "{database}"
"""


@pytest.fixture
def project(tmp_path: Path, mysql: dict[str, Any]) -> Project:
    (tmp_path / "drawloom.toml").write_text(SETTINGS.format(**mysql))
    return Project.find(tmp_path)


async def run(project: Project, text: str) -> Any:
    chain = load(text)
    assert project.findings(chain) == ()
    async with project.engine(durability="memory") as engine:
        result = await engine.run(project.checked_plan(chain), {})
    assert result.status == "succeeded", result.failure
    return result.output


async def test_late_orders(project: Project) -> None:
    text = (FOLDER / "examples/late_orders.yaml").read_text("utf-8")
    for _ in range(2):
        assert await run(project, text) == {
            "late": [
                {"id": 1, "email": "ada@example.org", "total": "19.90"},
                {"id": 2, "email": "grace@example.org", "total": "1250.00"},
            ],
            "total": "1269.90",
        }


@pytest.mark.parametrize("due", ["2020-01-01", "9999-01-01"])
async def test_the_chain_of_the_readme(project: Project, mysql_server, mysql, due) -> None:
    await mysql_server.run(
        "CREATE TABLE orders (id bigint, email text, due date, late bool)",
        f"INSERT INTO orders VALUES (1, 'a', '{due}', NULL)",
        database=mysql["database"],
    )
    text = next(one for one in README if "late-orders" in one)
    late = int(due < "2026")
    assert await run(project, text) == {"late": late, "marked": late}


async def test_the_other_chains_of_the_readme(project: Project, mysql_server, mysql) -> None:
    await mysql_server.run(
        "CREATE TABLE accounts (id int PRIMARY KEY, state varchar(9))",
        "INSERT INTO accounts VALUES (7, 'open')",
        "CREATE TABLE letters (account int, text text)",
        "CREATE TABLE orders (id int PRIMARY KEY, email text, due date)",
        "INSERT INTO orders SELECT seq, 'a', '2020-01-01' FROM seq_1_to_2500",
        "CREATE TABLE late_orders (id int PRIMARY KEY, email text)",
        database=mysql["database"],
    )
    assert await run(project, next(one for one in README if "copy-orders" in one)) == {
        "count": 2_500
    }
    closed = await run(project, next(one for one in README if "close-accounts" in one))
    assert closed == {
        "results": [{"changes": 1}, {"done": True, "results": [{"count": 1, "last_id": None}]}]
    }


async def test_a_deadlock_is_tried_again_by_the_engine(project: Project, mysql_server, mysql):
    """Two chains lock two rows crosswise: one is rolled back, and made again."""
    await mysql_server.run(
        "CREATE TABLE t (id int PRIMARY KEY, v int)",
        "INSERT INTO t VALUES (1, 0), (2, 0)",
        database=mysql["database"],
    )
    plan = project.checked_plan(load(CROSSWISE))
    async with project.engine(durability="memory") as engine:
        done = await asyncio.gather(
            engine.run(plan, {"first": 1, "second": 2}),
            engine.run(plan, {"first": 2, "second": 1}),
        )
    assert [one.status for one in done] == ["succeeded", "succeeded"]
    rows = await mysql_server.run("SELECT SUM(v) FROM t", database=mysql["database"])
    assert int(rows[0][0]) == 4


CROSSWISE = """
chain: crosswise
input: {first: {type: integer}, second: {type: integer}}
connections: {db: mysql}
steps:
  add:
    use: mysql.transaction
    on: db
    with:
      operations:
        - {do: execute, sql: "UPDATE t SET v = v + 1 WHERE id = ?", args: ["${input.first}"]}
        - {do: execute, sql: "SELECT SLEEP(0.3)"}
        - {do: execute, sql: "UPDATE t SET v = v + 1 WHERE id = ?", args: ["${input.second}"]}
    retry: {attempts: 4, delay: 1ms}
output: {}
"""


async def test_move_stock(project: Project) -> None:
    text = (FOLDER / "examples/move_stock.yaml").read_text("utf-8")
    for _ in range(2):
        assert await run(project, text) == {"left_and_right": [3, 2]}
