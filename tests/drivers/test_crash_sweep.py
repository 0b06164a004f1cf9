"""A real process, killed with SIGKILL before and after each of its journal writes."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from drawloom.db import connect_reader, queries
from drawloom.doors.blobs import BlobFolder
from drawloom.drivers.embedded import STORE
from drawloom.drivers.embedded.blobs import FOLDER, Blobs
from drawloom.drivers.embedded.recovery import PlanShelf, replay
from drawloom.runtime import Catalogue
from drawloom.sdk import Tool

ROOT = Path(__file__).parents[2]
SQL = queries("journal")
AT_ONCE = 2  # processes


def child(folder: Path, *kill: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.drivers.crash_child", str(folder), *kill]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )


def crashed(folder: Path, *kills: str) -> int:
    """Start it once per kill, and then until it is done; how many kills fired."""
    folder.mkdir(parents=True)
    fired = 0
    for kill in kills:
        fired += child(folder, kill).returncode == -signal.SIGKILL
    done = child(folder)
    assert done.returncode == 0, done.stderr
    judge(folder, fired)
    return fired


def judge(folder: Path, crashes: int) -> None:
    """The promises, from what is on disk."""
    db = connect_reader(folder / "state" / STORE)
    blobs = Blobs(BlobFolder(folder / "state" / FOLDER))
    rows = db.execute("select id, number, plan, status, output from runs").fetchall()
    note = folder / "acknowledged"
    acknowledged = note.read_text().split() if note.exists() else []
    assert len(acknowledged) <= 1 <= len(rows), "an acknowledged start is lost"
    assert {*acknowledged} <= {row[0] for row in rows}
    assert db.execute(SQL["gaps"]).fetchall() == []
    assert db.execute(SQL["orphans"]).fetchall() == []
    for run_id, number, plan, status, output in rows:
        assert status in ("succeeded", "unknown"), f"{run_id} is {status}"
        again = replay(db, blobs, run_id, number, PlanShelf(db, catalogue().find).get(plan)).run
        assert (again.finished.status if again.finished else "unknown") == status
        assert output == ('{"sum":7}' if status == "succeeded" else None)
    names = {digest for digest, _ in db.execute(SQL["blobs"])}
    assert {digest for _, digest in blobs.files.files()} == names, "a blob too few, or too many"
    if crashes == 0:
        assert status == "succeeded"
    effects = Counter((folder / "effects").read_text().splitlines())
    assert effects, "nothing happened at all"
    for effect, times in effects.items():
        most = 1 if effect.startswith("pay") else 1 + crashes
        assert times <= most, f"{effect} happened {times} times in {crashes} crashes"
    db.close()


def catalogue() -> Catalogue:
    """The child's tools, by name and effect; they are never called here."""
    made = [_tool("look", "read", dict[str, Any])]
    for name, effect in (
        ("put", "idempotent"),
        ("key", "keyed"),
        ("pay", "once"),
    ):
        made.append(_tool(name, effect))
    return Catalogue(made)


def _tool(name: str, effect: str, gives: Any = int) -> Tool:
    from drawloom.sdk import tool

    def never(n: int) -> Any:
        """Never called."""
        raise AssertionError

    never.__annotations__["return"] = gives

    return tool(effect=effect, name=f"my.{name}")(never)  # type: ignore[call-overload,no-any-return]


def test_without_a_kill_everything_happens_once(tmp_path: Path) -> None:
    assert crashed(tmp_path / "calm") == 0
    effects = Counter((tmp_path / "calm" / "effects").read_text().splitlines())
    assert sorted(effects.values()) == [1] * 6


@pytest.mark.parametrize("kill", ["before:1", "after:2", "before:4", "effect:2", "blob:1"])
def test_a_kill_here_and_there(tmp_path: Path, kill: str) -> None:
    assert crashed(tmp_path / "one", kill) == 1


def test_two_kills_after_each_other(tmp_path: Path) -> None:
    # How many commits there are depends on the machine; an effect always leaves one to make.
    assert crashed(tmp_path / "two", "effect:2", "before:1") == 2


def test_a_once_call_that_died_in_the_middle_is_not_made_again(tmp_path: Path) -> None:
    """Its effect is the last but one: only then `last` follows."""
    statuses = set()
    for number in (5, 6):
        crashed(tmp_path / f"{number}", f"effect:{number}")
        lines = (tmp_path / f"{number}" / "effects").read_text().splitlines()
        assert sum(line.startswith("pay") for line in lines) == 1
        db = connect_reader(tmp_path / f"{number}" / "state" / STORE)
        statuses |= {row[0] for row in db.execute("select status from runs")}
        db.close()
    assert statuses == {"succeeded", "unknown"}


@pytest.mark.slow
@pytest.mark.parametrize("where", ["before", "after", "effect", "blob"])
def test_a_kill_at_every_write(tmp_path: Path, where: str) -> None:
    """Each point fires, until there is no such write any more."""
    points = count(1)
    fired: list[bool] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while not fired or fired[-1]:
            some = [next(points) for _ in range(AT_ONCE)]
            fired += pool.map(lambda n: crashed(tmp_path / f"{n}", f"{where}:{n}") == 1, some)
    reached = fired.index(False)
    assert reached >= (1 if where == "blob" else 5), f"only {reached} writes"
