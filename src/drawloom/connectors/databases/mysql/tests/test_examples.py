"""The chains of the folder are checked, and run against a real server."""

from __future__ import annotations

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
    [text] = README
    late = int(due < "2026")
    assert await run(project, text) == {"late": late, "marked": late}
