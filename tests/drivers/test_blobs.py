"""Large values of runs: files that are written once, read where they are wanted, and cleared away."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest
from tests.drivers.conftest import Compile, MakeEngine
from tests.drivers.tools import Lab

from drawloom.dataflow.large_values import LargeValue
from drawloom.doors.blobs import BlobFolder
from drawloom.drivers.embedded import STORE
from drawloom.drivers.embedded.blobs import FOLDER, Blobs
from drawloom.drivers.embedded.replaying import replay_recorded
from drawloom.drivers.embedded.store import Store
from drawloom.errors import StateUnusable
from drawloom.sdk import Json, tool

ROOT = Path(__file__).parents[2]
SMALL = 1_000  # bytes: over this a value is large in these tests
ROWS = [{"id": n, "name": f"row {n}"} for n in range(100)]
CHAIN = """
chain: c
input: {rows: {type: array}}
steps:
  a: {use: my.echo, with: {v: {rows: "${input.rows}", count: 100}}}
  b: {use: my.echo, with: {v: "${steps.a.rows[7].name}"}}
  c: {use: my.echo, with: {v: "${$count(steps.a.rows)}"}, when: "$sum(steps.a.rows.id) > 1"}
  d: {use: my.echo, with: {v: "${steps.a}"}, after: [b, c]}
  each: {use: my.echo, for_each: "${steps.d.rows}", with: {v: "${item.id}"}}
output: {b: "${steps.b}", c: "${steps.c}", d: "${steps.d}", sum: "${$sum(steps.each)}"}
"""
OUTPUT = {"b": "row 7", "c": 100, "d": {"rows": ROWS, "count": 100}, "sum": 4950}


def files(tmp_path: Path) -> dict[str, int]:
    """The blobs in the state directory, with their sizes."""
    found = (tmp_path / "state" / FOLDER).glob("??/*")
    return {path.name: path.stat().st_size for path in found}


async def test_a_large_value_is_written_once_and_goes_wherever_it_is_read(
    make_engine: MakeEngine, compile_for: Compile, tmp_path: Path
) -> None:
    async with make_engine(blob_threshold=SMALL) as engine:
        result = await engine.run(compile_for(engine, CHAIN), {"rows": ROWS}, run_id="r")
        assert result.output == OUTPUT
        assert isinstance(result.kernel.scope["steps"]["a"], LargeValue)
        assert isinstance(result.kernel.scope["input"], LargeValue)
        assert result.steps["a"].output == {"rows": ROWS, "count": 100}
    rows = len(msgspec.json.encode(ROWS))
    whole = len(msgspec.json.encode(OUTPUT["d"]))
    assert sorted(files(tmp_path).values()) == [rows, whole]
    with Store(tmp_path / "state") as store:
        record = store.run("r")
        assert record.output == OUTPUT
        kinds = {e.call: e.event for e in store.events(record) if e.kind == "succeeded"}
        assert getattr(kinds["a#1"], "output", None) == {"rows": ROWS, "count": 100}
        assert replay_recorded(store, record, engine.catalogue.find).same
        assert store.db.execute("select max(length(body)) from events").get < SMALL


async def test_under_the_threshold_nothing_is_a_file(
    make_engine: MakeEngine, compile_for: Compile, tmp_path: Path
) -> None:
    async with make_engine() as engine:
        await engine.run(compile_for(engine, CHAIN), {"rows": ROWS})
    assert files(tmp_path) == {}


async def test_what_a_dead_process_left_goes_on_from_the_files(
    make_engine: MakeEngine, compile_for: Compile, lab: Lab
) -> None:
    waits = CHAIN.replace(
        '{use: my.echo, with: {v: "${steps.a}"}',
        '{use: my.pause, with: {seconds: 600, v: "${steps.a}"}',
    )
    async with make_engine(blob_threshold=SMALL) as engine:
        await engine.start(compile_for(engine, waits), {"rows": ROWS}, run_id="r")
        while not lab.called["pause"]:
            await engine.flush()
            await asyncio.sleep(0)

    async def at_once(seconds: float) -> None:
        return None

    lab.sleep = at_once
    async with make_engine(blob_threshold=SMALL) as engine:
        assert (await engine.wait("r")).output == OUTPUT
    assert lab.called["pause"] == 2


async def test_a_value_that_is_changed_after_it_was_given_is_not_taken_for_the_old_one(
    make_engine: MakeEngine, compile_for: Compile
) -> None:
    seen: list[Json] = []

    @tool(effect="read")
    async def grow(n: int) -> list[Json]:
        """Give the same list, longer each time."""
        seen.extend([n] * 1000)
        return seen

    text = "{chain: c, steps: {a: {use: my.grow, with: {n: 1}}, b: {use: my.grow, with: {n: 2}, after: [a]}}, output: ['${$count(steps.a)}', '${$count(steps.b)}']}"
    async with make_engine(grow, blob_threshold=SMALL) as engine:
        first = await engine.run(compile_for(engine, text), run_id="r")
        await engine.flush()
        assert first.output == [1000, 2000]
        with Store(engine.state or Path()) as store:
            stored = store.history(store.run("r"), engine.catalogue.find).steps["b"].result
            assert stored.output == [1] * 1000 + [2] * 1000


async def test_sub_chains_signals_and_undoing_get_large_values_too(
    make_engine: MakeEngine, compile_for: Compile
) -> None:
    undone: list[Any] = []

    @tool(effect="idempotent")
    async def undo(v: Json) -> None:
        """Note what is undone."""
        undone.append(v)

    text = """
chain: c
input: {rows: {type: array}}
steps:
  a:
    use: my.echo
    with: {v: {rows: "${input.rows}"}}
    compensate: {use: my.undo, with: {v: "${output.rows[2].id}"}}
  s: {use: core.wait, after: [a], with: {signal: go}}
  b: {use: my.fail, with: {kind: "${$count(s.payload) = 100 ? 'x' : steps.s.payload[99].name}"}}
"""
    async with make_engine(undo, blob_threshold=SMALL) as engine:
        run = await engine.start(compile_for(engine, text), {"rows": ROWS})
        await engine.wait(run)
        await engine.signal(run, "go", [*ROWS[:99], {"id": 99, "name": "denied"}])
        result = await engine.outcome(run)
    assert result.failure is not None and str(result.failure.kind) == "denied"
    assert undone == [2]


async def test_files_that_no_run_uses_are_cleared_away_at_the_next_start(
    make_engine: MakeEngine, compile_for: Compile, tmp_path: Path
) -> None:
    async with make_engine(blob_threshold=SMALL) as engine:
        await engine.run(compile_for(engine, CHAIN), {"rows": ROWS}, run_id="r")
        await engine.run(compile_for(engine, CHAIN), {"rows": ROWS[:90]}, run_id="s")
    kept = files(tmp_path)
    half_written = tmp_path / "state" / FOLDER / "ab"
    half_written.mkdir(exist_ok=True)
    (half_written / "0123.part").write_bytes(b"[")
    (half_written / ("ab" * 16)).write_bytes(b"[1]")
    async with make_engine():
        assert files(tmp_path) == kept
    db = apsw.Connection(str(tmp_path / "state" / STORE))
    db.execute("update runs set ended_at = 1 where id = 'r'")
    db.close()
    async with make_engine():
        left = files(tmp_path)
    assert 0 < len(left) < len(kept)
    with Store(tmp_path / "state") as store:
        assert store.run("s").output["sum"] == sum(range(90))


async def test_a_run_whose_blob_is_gone_is_told_and_harms_no_other(
    make_engine: MakeEngine, compile_for: Compile, lab: Lab, tmp_path: Path
) -> None:
    waits = "{chain: c, input: {rows: {type: array}}, steps: {a: {use: my.echo, with: {v: '${input.rows}'}}, w: {use: core.wait, after: [a], with: {signal: go}}, b: {use: my.echo, after: [w], with: {v: '${steps.a}'}}}}"
    async with make_engine(blob_threshold=SMALL) as engine:
        await engine.start(compile_for(engine, waits), {"rows": ROWS}, run_id="r")
        await engine.wait("r")
    for path in (tmp_path / "state" / FOLDER).glob("??/*"):
        path.unlink()
    async with make_engine(blob_threshold=SMALL) as engine:
        assert "r" in engine.unrecovered
        assert "blob" in engine.unrecovered["r"]
        other = await engine.run(compile_for(engine, CHAIN), {"rows": ROWS})
        assert other.status == "succeeded"


def test_what_was_not_used_lately_leaves_the_memory(tmp_path: Path) -> None:
    blobs = Blobs(BlobFolder(tmp_path), warm=30)
    values = [[n] * 5 for n in range(9)]
    for n, value in enumerate(values):
        content = msgspec.json.encode(value)
        blobs.put(bytes([n]), content)
        assert blobs.at(bytes([n]), ()) == value, "before it is written"
        blobs.write([(bytes([n]), content)])
    values = [blobs.at(bytes([n]), ()) for n in range(9)]
    assert [blobs.known(value) is not None for value in values] == [False] * 7 + [True] * 2
    assert blobs.at(bytes([0]), (4,)) == 0
    assert blobs.at(bytes([8]), ()) is values[8]
    with pytest.raises(TypeError):
        blobs.at(bytes([8]), ("x",))
    with pytest.raises(StateUnusable):
        blobs.at(bytes([99]), ())


def test_of_a_very_large_value_only_what_is_asked_for_is_made(tmp_path: Path) -> None:
    folder = BlobFolder(tmp_path)
    value = {"rows": [{"id": n, "note": "x" * 100} for n in range(50_000)], "text": "abc"}
    folder.write([(b"\1", msgspec.json.encode(value))])
    blobs = Blobs(folder)
    assert blobs.at(b"\1", ("rows", 49_999, "id")) == 49_999
    assert blobs.at(b"\1", ("text",)) == "abc"
    assert not blobs.digests, "nothing of it was kept"
    for path, error in {("rows", 50_000): IndexError, ("nope",): KeyError, ("text", 0): TypeError,
                        ("rows", "id"): TypeError, (0,): TypeError}.items():  # fmt: skip
        with pytest.raises(error):
            blobs.at(b"\1", path)


def test_a_blob_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = BlobFolder(tmp_path / "blobs")
    folder.write([(b"\1" * 16, b"[1]")])
    path = tmp_path / "blobs" / "01" / ("01" * 16)
    path.write_bytes(b"[")  # a half of it, as a disk that lies would leave it
    folder.write([(b"\1" * 16, b"[1]")])
    assert folder.read(b"\1" * 16) == b"[1]"
    path.unlink()
    path.symlink_to("/etc/hostname")
    with pytest.raises(StateUnusable):
        folder.read(b"\1" * 16)


@pytest.mark.slow
def test_many_runs_that_wait_with_large_values_need_no_memory_for_them(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.drivers.blobs_child", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = msgspec.json.decode(done.stdout)
    assert told["sums"] == [1000 * 999 // 2] * 300
    assert told["bytes"] > 500 << 20
    assert told["memory"] < 350 << 20
