"""The chains of the folder are checked, and run as a user would run them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from drawloom.chains import load
from drawloom.project import Project

FOLDER = Path(__file__).parents[1]
README = re.findall(r"```yaml\n(.*?)```", (FOLDER / "README.md").read_text("utf-8"), re.DOTALL)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "drawloom.toml").write_text('[connections.db]\nkind = "sqlite"\npath = "x.db"\n')
    return Project.find(tmp_path)


async def run(project: Project, text: str) -> Any:
    chain = load(text)
    assert project.findings(chain) == ()
    async with project.engine(durability="memory") as engine:
        result = await engine.run(project.checked_plan(chain), {})
    assert result.status == "succeeded", result.failure
    return result.output


async def test_the_chain_of_the_readme(project: Project) -> None:
    text, _ = README
    assert await run(project, text) == {"scarce": [{"id": 1, "name": "bolt"}]}


async def test_stock(project: Project) -> None:
    text = (FOLDER / "examples/stock.yaml").read_text("utf-8")
    for _ in range(2):
        assert await run(project, text) == {
            "delivered": [{"id": 1, "amount": 13}],
            "scarce": [{"id": 3, "name": "washer", "amount": 0}],
        }


async def test_upsert(project: Project) -> None:
    text = (FOLDER / "examples/upsert.yaml").read_text("utf-8")
    for _ in range(2):
        [table] = (await run(project, text))["tables"]
        assert table["name"] == "customers"
        assert [column["key"] for column in table["columns"]] == [1, 0, 0]
