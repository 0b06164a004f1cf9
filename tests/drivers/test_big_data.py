"""A file that memory could not hold: CSV to SQLite to JSON Lines, killed in the middle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from drawloom.drivers.embedded.store import Store
from drawloom.errors import StateUnusable, ValueInvalid

ROOT = Path(__file__).parents[2]
CHAIN = """
chain: big
connections: {data: files, db: sqlite}
steps:
  rows: {use: files.stream_csv, on: data, with: {path: big.csv, types: {id: integer}}}
  load:
    use: sqlite.upsert
    on: db
    for_each: "${steps.rows}"
    batch: BATCH
    concurrency: 2
    with: {table: orders, rows: "${item}", key: [id]}
  loaded: {use: sqlite.stream, on: db, after: [load], with: {table: orders}}
  write:
    use: files.append_jsonl
    on: data
    for_each: "${steps.loaded}"
    batch: BATCH
    concurrency: 1
    with: {path: big.jsonl, rows: "${item}"}
output: {loads: "${$count(steps.load)}", writes: "${$count(steps.write)}"}
"""
SETTINGS = """
[connections.data]
kind = "files"
folder = "."
[connections.db]
kind = "sqlite"
path = "big.sqlite"
"""


def prepared(folder: Path, rows: int, width: int, batch: int) -> int:
    """A project with a CSV file of *rows* rows of about *width* bytes; the file's size."""
    (folder / "drawloom.toml").write_text(SETTINGS)
    (folder / "big.yaml").write_text(CHAIN.replace("BATCH", str(batch)))
    note = "woven, " * (width // 7)
    with (folder / "big.csv").open("w") as file:
        file.write("id,note\n")
        for number in range(rows):
            file.write(f'{number},"{number} {note}"\n')
    return (folder / "big.csv").stat().st_size


def begun(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.drivers.big_data_child", str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def answered(folder: Path, step: str) -> int:
    """How many batches of *step* have been answered, as far as the disk knows."""
    try:
        with Store(folder / ".drawloom") as store:
            events = store.events(store.run("big"))
    except (StateUnusable, ValueInvalid):
        return 0
    return sum(e.kind == "succeeded" and (e.call or "").startswith(f"{step}[") for e in events)


def kill_when(child: subprocess.Popen[str], reached: Callable[[], bool]) -> None:
    """Kill *child* as soon as something has been reached, which it must be before its end."""
    while not reached():
        assert child.poll() is None, "it ended before it could be killed"
        time.sleep(0.02)  # between looks; what is waited for is on the disk
    os.killpg(child.pid, signal.SIGKILL)
    with child:  # its pipe is closed, too
        assert child.wait() == -signal.SIGKILL


def work_through(folder: Path, rows: int, batch: int) -> dict[str, Any]:
    """Kill it while it loads and while it writes; what the last process told."""
    for step in ("load", "write"):
        before, child = answered(folder, step), begun(folder)
        kill_when(child, lambda: answered(folder, step) > before + 2)  # noqa: B023
    child = begun(folder)
    told: dict[str, Any] = json.loads(child.communicate()[0])
    assert told["status"] == "succeeded", told
    batches = -(-rows // batch)
    assert told["output"] == {"loads": batches, "writes": batches}
    return told


def assert_whole(folder: Path, rows: int) -> None:
    """Each row is in the table once and in the file once, in order."""
    db = apsw.Connection(str(folder / "big.sqlite"))
    assert db.execute("select count(*), sum(id) from orders").get == (
        rows, rows * (rows - 1) // 2,
    )  # fmt: skip
    db.close()
    with (folder / "big.jsonl").open() as file:
        for number, line in enumerate(file):
            assert line.startswith(f'{{"id":{number},')
    assert number == rows - 1


@pytest.mark.slow
def test_a_file_goes_through_under_two_kills(tmp_path: Path) -> None:
    size = prepared(tmp_path, 40_000, 1_000, 1_000)
    assert size > 40 * 1000 * 1000
    told = work_through(tmp_path, 40_000, 1_000)
    assert_whole(tmp_path, 40_000)
    assert told["memory"] < 200 << 20
    # The journal keeps where the streams stood, not what came from them.
    assert (tmp_path / ".drawloom/state.db").stat().st_size < size // 20


@pytest.mark.slow
def test_two_gigabytes_go_through_under_two_kills(tmp_path: Path) -> None:
    size = prepared(tmp_path, 500_000, 4_100, 1_000)
    assert size > 2_000_000_000
    told = work_through(tmp_path, 500_000, 1_000)
    assert_whole(tmp_path, 500_000)
    assert told["memory"] < 200 << 20


@pytest.mark.slow
def test_a_hundred_thousand_items_stay_small(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.drivers.fan_out_child", str(tmp_path), "100000"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout)
    assert told["output"] == {"sum": 100_000 * 100_001 // 2, "count": 100_000}, told
    assert told["memory"] < 300 << 20
