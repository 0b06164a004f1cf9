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
kind = "mongodb"
host = "{host}"
port = {port}
database = "{database}"
"""


@pytest.fixture
def project(tmp_path: Path, mongodb: dict[str, Any]) -> Project:
    (tmp_path / "drawloom.toml").write_text(SETTINGS.format(**mongodb))
    return Project.find(tmp_path)


async def run(project: Project, text: str, **given: Any) -> Any:
    chain = load(text)
    assert project.findings(chain) == ()
    async with project.engine(durability="memory") as engine:
        result = await engine.run(project.checked_plan(chain), given)
    assert result.status == "succeeded", result.failure
    return result.output


def example(name: str) -> str:
    return (FOLDER / f"examples/{name}.yaml").read_text("utf-8")


async def test_orders(project: Project, raw: Any) -> None:
    note = "at least 10"
    for _ in range(2):
        assert await run(project, example("orders")) == {
            "sums": [
                {"_id": "ada", "total": 19.5, "orders": 1, "note": note},
                {"_id": "grace", "total": 1250, "orders": 1, "note": note},
            ],
            "kept": 2,
        }
    assert raw["orders"].find_one({"_id": 1})["placed"].year == 2026


async def test_copy(project: Project, raw: Any) -> None:
    documents = [{"_id": n, "v": [n]} for n in range(2_500)]
    raw["orders"].insert_many(documents)
    for _ in range(2):
        assert await run(project, example("copy")) == {"batches": 3}
    assert list(raw["copies"].find().sort("_id", 1)) == documents


async def test_the_chain_of_the_readme(project: Project, raw: Any) -> None:
    raw["orders"].insert_one({"customer": "grace"})
    [text] = README
    for _ in range(2):
        assert await run(project, text) == {"open": 1, "changed": 1}
    assert raw["orders"].count_documents({"customer": "ada", "paid": True}) == 2


async def test_an_operator_from_outside_fails_the_run(project: Project, raw: Any) -> None:
    raw["orders"].insert_one({"_id": 1, "customer": "grace"})
    text = (
        "chain: a\ninput:\n  who: {}\nconnections: {db: mongodb}\nsteps:\n  gone:\n"
        "    use: mongodb.delete_many\n    on: db\n"
        '    with: {collection: orders, filter: {customer: {$eq: "${input.who}"}}}\n'
    )
    async with project.engine(durability="memory") as engine:
        plan = project.checked_plan(load(text))
        result = await engine.run(plan, {"who": {"$gt": ""}})
    assert result.failure is not None
    assert result.failure.kind == "invalid"
    assert raw["orders"].count_documents({}) == 1
