"""What isolated processes can import: what the engine can, and nothing that -I is against."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

import drawloom
from drawloom.runtime.isolation import search_path

OURS = Path(drawloom.__file__).parents[1]

_ENGINE = """
import asyncio, json
from pathlib import Path
from drawloom.project.own_tools import own_tools
from drawloom.runtime.evaluator import Evaluator
from drawloom.runtime.isolation import Isolation
from drawloom.sdk import Context

async def main():
    [looking] = own_tools(Path(FOLDER), ["tools.py"])[0]
    made, evaluator = Isolation(), Evaluator()
    found, _ = await made.call(looking, {}, Context())
    found["sum"] = await evaluator.evaluate("template", "${1 + 1}", {}, 0, 0)
    await evaluator.aclose()
    await made.aclose()
    print(json.dumps(found))

asyncio.run(main())
"""

_TOOLS = """
import os, statistics, sys
from typing import Any
import helping
from drawloom.sdk import tool

@tool(isolation="process", effect="pure")
def looking() -> dict[str, Any]:
    "Say where things come from."
    import drawloom
    files = {"drawloom": drawloom.__file__, "helping": helping.__file__}
    return {**files, "path": sys.path, "environment": dict(os.environ),
            "statistics": statistics.__file__}
"""


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """An interpreter without Drawloom, or anything else, in its site packages."""
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    return tmp_path / "bare/bin/python"


def test_an_engine_that_only_pythonpath_leads_to_has_isolated_processes(
    bare: Path, tmp_path: Path
) -> None:
    project, extra, here = tmp_path / "project", tmp_path / "extra", tmp_path / "here"
    for folder in (project, extra, here):
        folder.mkdir()
    (here / "statistics.py").write_text("raise SystemExit('a file of mine')")
    (extra / "helping.py").write_text("")
    (project / "tools.py").write_text(_TOOLS)
    script = project / "engine.py"
    script.write_text(_ENGINE.replace("FOLDER", repr(str(project))))
    paths = [str(extra), str(OURS), sysconfig.get_path("purelib"), str(tmp_path / "nowhere")]
    done = subprocess.run(
        [bare, script],
        env={"PYTHONPATH": os.pathsep.join(paths), "CANARY": "1"},
        cwd=here,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["sum"] == 2
    assert found["drawloom"] == str(OURS / "drawloom/__init__.py")
    assert found["helping"] == str(extra / "helping.py")
    assert [entry for entry in found["path"] if entry in paths] == paths[:3]
    assert not {"", str(here), str(project), paths[3]} & set(found["path"])
    assert "CANARY" not in found["environment"] and "PYTHONPATH" not in found["environment"]


def test_a_file_of_the_engine_does_not_take_the_place_of_the_standard_library(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    found = search_path.search_path()
    assert found.index(sysconfig.get_path("stdlib")) < found.index(str(tmp_path))


def test_what_isolation_is_against_is_left_out_and_drawloom_never(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    user, here = tmp_path / "user", tmp_path / "here"
    for folder in (user, here):
        folder.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr("site.getusersitepackages", lambda: str(user))
    monkeypatch.setattr(sys, "path", ["", str(here), str(user), ".", "/nowhere"])
    search_path._searched.cache_clear()
    assert search_path.search_path() == [str(OURS)]
    monkeypatch.chdir(OURS)
    monkeypatch.setattr(sys, "path", ["", str(OURS), str(user)])
    assert search_path.search_path() == [str(OURS)]
    search_path._searched.cache_clear()
