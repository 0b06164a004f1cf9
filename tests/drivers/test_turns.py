"""Runs that wait their turn, over a restart."""

from __future__ import annotations

from pathlib import Path

from tests.drivers.conftest import Compile, MakeEngine

from drawloom.drivers.embedded.store import Store

CHAIN = (
    "{chain: c, concurrency: 1, input: {n: {type: integer}},"
    " steps: {a: {use: core.wait, with: {signal: go}}}, output: '${input.n}'}"
)


def standing(state: Path) -> dict[str, str]:
    with Store(state) as store:
        return {run.id: run.status for run in store.list()}


async def test_who_waited_waits_on_and_who_had_its_turn_has_it(
    make_engine: MakeEngine, compile_for: Compile, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    async with make_engine() as engine:
        plan = compile_for(engine, CHAIN)
        for n in range(3):
            await engine.start(plan, {"n": n}, run_id=f"r{n}")
        await engine.wait("r0")
        await engine.flush()
        assert standing(state) == {"r0": "waiting", "r1": "queued", "r2": "queued"}
    async with make_engine() as engine:
        await engine.signal("r0", "go")
        assert (await engine.wait("r0")).output == 0
        assert (await engine.wait("r1")).status == "waiting"
        await engine.flush()
        assert standing(state) == {"r0": "succeeded", "r1": "waiting", "r2": "queued"}


async def test_a_queued_run_that_finds_room_after_a_restart_is_running(
    make_engine: MakeEngine, compile_for: Compile, tmp_path: Path
) -> None:
    """Only it is taken up: then there is room at once, and the store says so."""
    state = tmp_path / "state"
    busy = CHAIN.replace("core.wait, with: {signal: go}", "my.pause, with: {seconds: 600}")
    async with make_engine() as engine:
        plan = compile_for(engine, busy)
        for n in range(2):
            await engine.start(plan, {"n": n}, run_id=f"r{n}")
        await engine.flush()
        assert standing(state) == {"r0": "running", "r1": "queued"}
    async with make_engine(recover=("r1",)) as engine:
        await engine.flush()
        assert standing(state) == {"r0": "running", "r1": "running"}
