"""What is on disk when: commits, syncs, retention, a full disk."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.drivers.conftest import Compile, MakeEngine

from drawloom.db import connect_reader
from drawloom.drivers.embedded import STORE
from drawloom.drivers.embedded.journal import Journal
from drawloom.errors import StateUnusable
from drawloom.sdk import tool

ROOT = Path(__file__).parents[2]

STRICT = "{chain: c, steps: {a: {use: my.keyed, with: {v: 1}}, b: {use: my.keyed, with: {v: '${steps.a}'}}}}"


async def test_nothing_is_dispatched_before_the_rows_that_it_rests_on_are_on_disk(
    make_engine: MakeEngine, compile_for: Compile, tmp_path: Path
) -> None:
    """The tool itself looks into the store, through a connection of its own."""
    seen: list[tuple[str, int]] = []

    def rows() -> int:
        reader = connect_reader(tmp_path / "state" / STORE)
        [(count,)] = reader.execute("select count(*) from events")
        reader.close()
        return int(count)

    @tool(effect="once")
    async def strict(v: int) -> int:
        """Look into the store."""
        seen.append(("strict", rows()))
        return v + 1

    async with make_engine(strict) as engine:
        text = (
            "{chain: c, steps: {a: {use: my.strict, with: {v: 1}}, b: {use: my.strict,"
            " with: {v: '${steps.a}'}}, c: {use: my.strict, with: {v: '${steps.b}'}}}}"
        )
        result = await engine.run(compile_for(engine, text))
    assert result.status == "succeeded"
    assert seen == [("strict", 1), ("strict", 2), ("strict", 3)]


async def test_an_acknowledged_start_and_end_are_on_disk(
    make_engine: MakeEngine, compile_for: Compile, tmp_path: Path
) -> None:
    async with make_engine() as engine:
        reader = connect_reader(tmp_path / "state" / STORE)
        plan = compile_for(engine, "{chain: c, steps: {a: {use: my.pause, with: {seconds: 600}}}}")
        run = await engine.start(plan)
        assert reader.execute("select id, status from runs").fetchall() == [(run, "running")]
        await engine.cancel(run)
        await engine.wait(run)
        assert reader.execute("select status from runs").fetchall() == [("cancelled",)]
        reader.close()


async def test_one_strict_step_is_one_commit(
    make_engine: MakeEngine, compile_for: Compile
) -> None:
    """The start, each answer that an effect rests on, and the end with the last answer."""
    async with make_engine() as engine:
        plan = compile_for(engine, STRICT)
        await engine.run(plan)
        journal = engine._pump.journal
        assert journal is not None
        before = journal.syncs
        await engine.run(plan)
        assert journal.syncs - before == 3


async def test_steps_that_only_look_need_no_commit_of_their_own(
    make_engine: MakeEngine, compile_for: Compile
) -> None:
    async with make_engine() as engine:
        steps = ", ".join(
            f"s{i}: {{use: my.inline, with: {{v: {'1' if i == 0 else f'${{steps.s{i - 1}}}'!r}}}}}"
            for i in range(10)
        ).replace("'1'", "1")
        await engine.run(compile_for(engine, f"{{chain: c, steps: {{{steps}}}}}"))
        journal = engine._pump.journal
        assert journal is not None
        assert journal.syncs <= 2


async def test_many_runs_share_their_syncs(make_engine: MakeEngine, compile_for: Compile) -> None:
    async with make_engine() as engine:
        plan = compile_for(engine, STRICT)
        await asyncio.gather(*[engine.run(plan) for _ in range(100)])
        journal = engine._pump.journal
        assert journal is not None
        assert journal.syncs < 60  # 300 rows to wait for


@pytest.mark.parametrize(("durability", "synchronous"), [("full", 2), ("relaxed", 1)])
async def test_how_far_a_commit_goes(
    make_engine: MakeEngine, durability: Any, synchronous: int
) -> None:
    async with make_engine(durability=durability) as engine:
        assert engine._db is not None
        assert engine._db.pragma("synchronous") == synchronous
        assert engine._db.pragma("journal_mode") == "wal"


async def test_memory_touches_no_disk(
    make_engine: MakeEngine, compile_for: Compile, tmp_path: Path
) -> None:
    async with make_engine(durability="memory") as engine:
        await engine.run(compile_for(engine, STRICT))
    assert not (tmp_path / "state").exists()


async def test_runs_that_ended_long_ago_are_forgotten_and_others_never(
    make_engine: MakeEngine, compile_for: Compile
) -> None:
    async with make_engine() as engine:
        await engine.run(compile_for(engine, STRICT), run_id="old")
        await engine.run(compile_for(engine, STRICT), run_id="young")
        waits = compile_for(engine, "{chain: w, steps: {a: {use: my.fail, with: {kind: lost}}}}")
        await engine.run(waits, run_id="waits")
        await engine.flush()
        assert engine._db is not None
        day = 86_400_000_000
        engine._db.execute("update runs set ended_at = ended_at - ? where id = 'old'", (31 * day,))
        engine._db.execute("update runs set started_at = 0 where id = 'waits'")
    async with make_engine() as engine:
        assert engine._db is not None
        assert engine._db.execute("select id from runs order by id").fetchall() == [
            ("waits",), ("young",),
        ]  # fmt: skip
        assert engine.recovered == ("waits",)
        orphans = "select count(*) from events where run not in (select number from runs)"
        assert engine._db.execute(orphans).get == 0


FULL = """
import asyncio, json, resource, signal, sys
from drawloom.chains import compile_chain, load
from drawloom.drivers.embedded import Engine
from drawloom.errors import StateUnusable
from drawloom.runtime import Catalogue
from drawloom.sdk import Json, tool

@tool(effect="keyed")
async def keep(v: Json) -> Json:
    "Give back what came in."
    return v

async def main(folder, limit):
    catalogue = Catalogue([keep])
    text = "{chain: c, input: {v: {}}, steps: {a: {use: my.keep, with: {v: '${input.v}'}}}}"
    plan = compile_chain(load(text), catalogue.find)
    acknowledged, why = [], None
    async with Engine(catalogue, state=folder) as engine:
        recovered = [*engine.recovered]
        for run in recovered:
            await engine.wait(run)
        if limit:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        try:
            for n in range(400 if limit else 3):
                run = await engine.start(plan, {"v": str(n) * 5_000})
                acknowledged.append(run)
                await engine.wait(run)
        except StateUnusable as exc:
            why = str(exc)
    print(json.dumps({"acknowledged": acknowledged, "why": why, "recovered": recovered}))

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


def test_a_disk_that_is_full_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk's end: a write fails in the middle."""

    def child(limit: int) -> dict[str, Any]:
        command = [sys.executable, "-c", FULL, str(tmp_path / "state"), str(limit)]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    first = child(600_000)
    assert first["why"] is not None, "the disk was never full"
    assert 3 < len(first["acknowledged"]) < 400
    again = child(0)
    assert again["why"] is None
    reader = connect_reader(tmp_path / "state" / STORE)
    stored = dict(reader.execute("select id, status from runs").fetchall())
    reader.close()
    everything = [*first["acknowledged"], *again["acknowledged"]]
    assert {stored.get(run) for run in everything} == {"succeeded"}


async def test_a_journal_that_breaks_is_told_to_all_who_wait(
    make_engine: MakeEngine, compile_for: Compile, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with make_engine() as engine:
        plan = compile_for(engine, "{chain: c, steps: {a: {use: my.pause, with: {seconds: 600}}}}")
        run = await engine.start(plan)
        waits = asyncio.create_task(engine.wait(run))

        def broken(self: Journal, batch: Any) -> None:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(Journal, "_write", broken)
        with pytest.raises(StateUnusable, match="cannot be written"):
            await engine.start(plan)
        with pytest.raises(StateUnusable, match="cannot be written"):
            await waits
        with pytest.raises(StateUnusable, match="cannot be written"):
            await engine.start(plan)
