"""The import contracts hold, and each of them bites when somebody breaks it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# What breaks each contract: the module to write into, and the line to add.
PLANTED = {
    "rooms": ("errors.py", "from drawloom.policies import Effect as _Effect"),
    "connectors-sdk-only": ("connectors/core/__init__.py", "import drawloom.dataflow.values"),
    "connectors-independent": (
        "connectors/databases/sqlite/__init__.py",
        "import drawloom.connectors.databases.postgresql",
    ),
    "pure-rooms": ("policies/retry.py", "import time"),
    "access-arguments": ("access/throttling.py", "import time"),
    "triggers-start-nothing": ("triggers/store.py", "import drawloom.runtime"),
    "pure-schedules": ("triggers/due.py", "import time"),
    "one-expression-engine": ("sdk/values.py", "import jlens"),
}


def contracts() -> dict[str, str]:
    """Id and name of each contract in pyproject.toml."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return {c["id"]: c["name"] for c in settings["tool"]["importlinter"]["contracts"]}


def lint(tree: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run lint-imports on the copy of the project in *tree*."""
    linter = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [linter, "--no-cache", "--no-logo", "--config", tree / "pyproject.toml", *options],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree / "src"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the project's sources, to break."""
    ignored = shutil.ignore_patterns("__pycache__", "tests")
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_contract_is_kept(tree: Path) -> None:
    done = lint(tree)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(contracts())} kept, 0 broken" in done.stdout


def test_every_contract_has_a_violation_planted_here() -> None:
    assert PLANTED.keys() == contracts().keys()


@pytest.mark.parametrize("contract", PLANTED)
def test_a_planted_import_breaks_the_contract(tree: Path, contract: str) -> None:
    module, line = PLANTED[contract]
    path = tree / "src/drawloom" / module
    path.write_text(path.read_text() + f"\n{line}\n")
    done = lint(tree, "--contract", contract)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{contracts()[contract]} BROKEN" in done.stdout
    assert line.split()[1] in done.stdout


def test_a_new_room_fails_until_somebody_decides_where_it_stands(tree: Path) -> None:
    attic = tree / "src/drawloom/attic"
    attic.mkdir()
    (attic / "__init__.py").write_text('"""Odds and ends."""\n')
    done = lint(tree, "--contract", "rooms")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "attic" in done.stdout


def test_every_connector_is_in_the_contract_of_independence() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    [contract] = [
        c
        for c in settings["tool"]["importlinter"]["contracts"]
        if c["id"] == "connectors-independent"
    ]
    named = {m.removesuffix(".*") for m in contract["modules"]}
    for about in (ROOT / "src").glob("drawloom/connectors/**/connector.toml"):
        module = ".".join(about.parent.relative_to(ROOT / "src").parts)
        assert {module, module.rpartition(".")[0]} & named, (
            f"pyproject.toml does not name {module}"
        )
