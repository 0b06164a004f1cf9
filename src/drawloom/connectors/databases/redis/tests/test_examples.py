"""The chains of the folder and of the README are checked, and run against a real server."""

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
[connections.cache]
kind = "redis"
host = "{host}"
port = {port}
note_seconds = 60  # notes are named after runs, not after the test
"""


@pytest.fixture
def project(tmp_path: Path, redis_server: Any) -> Project:
    (tmp_path / "drawloom.toml").write_text(SETTINGS.format(**redis_server.settings()))
    return Project.find(tmp_path)


async def run(project: Project, text: str, prefix: str, **given: Any) -> Any:
    chain = load(text)
    assert project.findings(chain) == ()
    async with project.engine(durability="memory") as engine:
        result = await engine.run(project.checked_plan(chain), {"prefix": prefix, **given})
    assert result.status == "succeeded", result.failure
    return result.output


async def test_work_queue(project: Project, redis_prefix: str) -> None:
    text = (FOLDER / "examples/work_queue.yaml").read_text("utf-8")
    for turn in (1, 2):
        output = await run(project, text, redis_prefix)
        assert output["taken"] == [{"id": 1, "total": 5}, {"id": 2, "total": 7}]
        assert output["done"] == 2 * turn
        assert sorted(output["kept"]) == [5, 7]


async def test_the_chain_of_the_readme(project: Project, redis_prefix: str) -> None:
    [text] = README
    assert await run(project, text, redis_prefix, visitor="ada") == {"visits": 1, "first": True}
    assert await run(project, text, redis_prefix, visitor="ada") == {"visits": 2, "first": False}
