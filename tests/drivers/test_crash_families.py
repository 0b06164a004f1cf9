"""Runs that belong together, killed with SIGKILL before and after each journal write."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from drawloom.db import connect_reader, queries
from drawloom.drivers.embedded import STORE

ROOT = Path(__file__).parents[2]
SQL = queries("journal")
RUNS = {
    "r": ["outer", "failed"],
    "r.sub.1": ["inner", "succeeded"],
    "r.on-failure": ["tell", "succeeded"],
}
EFFECTS = {
    "key r/first", "key r.sub.1/a", "key r/each[0]", "key r/each[1]", "key r/each[2]",
    "key r/each[3]", "key r/second", "key r/second!undo", "key r/first!undo",
    "key r.on-failure/a",
}  # fmt: skip


def child(folder: Path, *kill: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.drivers.crash_family_child", str(folder), *kill]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )


def crashed(folder: Path, *kills: str) -> int:
    """Start it once per kill, then until it is done; how many kills fired."""
    folder.mkdir(parents=True)
    fired = sum(child(folder, kill).returncode == -signal.SIGKILL for kill in kills)
    done = child(folder)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == RUNS
    judge(folder, fired)
    return fired


def judge(folder: Path, crashes: int) -> None:
    """Each effect happened, not more often than there were crashes, in the right order."""
    effects = (folder / "effects").read_text().splitlines()
    counted = Counter(effects)
    assert counted.keys() == EFFECTS
    assert max(counted.values()) <= 1 + crashes
    undone = [line for line in effects if line.endswith("!undo")]
    assert list(dict.fromkeys(undone)) == ["key r/second!undo", "key r/first!undo"]
    db = connect_reader(folder / "state" / STORE)
    assert db.execute(SQL["gaps"]).fetchall() == []
    assert db.execute(SQL["orphans"]).fetchall() == []
    [told] = db.execute("select failure from runs where id = 'r'").fetchone()
    assert json.loads(told)["details"]["undo"] == {"undone": ["second", "first"]}
    db.close()


def test_without_a_kill_each_effect_happens_once(tmp_path: Path) -> None:
    assert crashed(tmp_path / "calm") == 0


@pytest.mark.parametrize("kill", ["before:2", "after:3", "effect:2", "effect:5"])
def test_a_kill_here_and_there(tmp_path: Path, kill: str) -> None:
    assert crashed(tmp_path / "one", kill) == 1


def test_three_kills_after_each_other(tmp_path: Path) -> None:
    assert crashed(tmp_path / "three", "effect:2", "effect:3", "effect:3") == 3


@pytest.mark.slow
@pytest.mark.parametrize("where", ["before", "after", "effect"])
def test_a_kill_at_every_write(tmp_path: Path, where: str) -> None:
    """Each point fires, until there is no such write any more."""
    points = count(1)
    fired: list[bool] = []
    with ThreadPoolExecutor(2) as pool:
        while not fired or fired[-1]:
            some = [next(points) for _ in range(2)]
            fired += pool.map(lambda n: crashed(tmp_path / f"{n}", f"{where}:{n}") == 1, some)
    assert fired.index(False) >= 8, f"only {fired.index(False)} points"
