"""The locked requirements: whole, hashed, and free of anybody's machine."""

from __future__ import annotations

import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


def pinned(path: Path) -> dict[str, str]:
    """Name and version of each requirement in a lock."""
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ]+)", path.read_text(), re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_names_no_host_and_no_folder(lock: Path) -> None:
    assert re.findall(r"://|--index|--extra-index|--find-links|file:", lock.read_text()) == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_pin_has_hashes(lock: Path) -> None:
    blocks = re.split(r"\n(?=[a-z0-9])", lock.read_text())[1:]
    assert blocks
    assert [b.partition("=")[0] for b in blocks if "--hash=sha256:" not in b] == []


def test_what_runs_is_what_is_tested() -> None:
    run, dev = pinned(ROOT / "requirements/run.txt"), pinned(ROOT / "requirements/dev.txt")
    assert {name: dev.get(name) for name in run} == run


def test_the_locks_hold_every_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = chain(project["dependencies"], *project["optional-dependencies"].values())
    names = {re.split(r"[\[<>=;]", w)[0].replace(".", "-").lower() for w in wanted} - {"drawloom"}
    assert names <= pinned(ROOT / "requirements/dev.txt").keys()
