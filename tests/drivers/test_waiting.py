"""Who waits for a run hears of its end, however late it asks."""

import asyncio
from typing import Any

import pytest

from drawloom import compile_chain, load, tool
from drawloom.drivers.embedded import Engine
from drawloom.drivers.embedded.pump import Pump
from drawloom.drivers.starting import Beginning
from drawloom.facts import Fact, RunEnded
from drawloom.runtime import Catalogue

ONE = "{chain: one, steps: {a: {use: my.quick, with: {n: 1}}}, output: '${steps.a}'}"


@tool(effect="read")
async def quick(n: int) -> int:
    """Answer at once."""
    return n


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue([quick])


async def test_a_run_may_end_before_anybody_waits(catalogue: Catalogue, tmp_path: Any) -> None:
    plan = compile_chain(load(ONE), catalogue.find)
    over = asyncio.Event()

    def note(fact: Fact) -> None:
        if isinstance(fact, RunEnded):
            over.set()

    async with Engine(catalogue, state=tmp_path) as engine:
        engine.watch(note)
        runner = engine._starts.start(plan, {}, None, None, Beginning())
        async with asyncio.timeout(30):
            await over.wait()
            await runner.ended()
        assert "succeeded" == (await engine.wait(runner.run_id)).status


@pytest.mark.parametrize("acknowledged", [False, True])
async def test_a_bug_in_one_run_is_raised_to_who_waits_for_it(
    catalogue: Catalogue, tmp_path: Any, monkeypatch: Any, acknowledged: bool
) -> None:
    plan = compile_chain(load(ONE), catalogue.find)

    def broken(*_: Any) -> None:
        raise RuntimeError("planted")

    async with Engine(catalogue, state=tmp_path) as engine:
        monkeypatch.setattr(Pump, "_call", broken)
        seen: list[str] = []
        acknowledge = seen.append if acknowledged else None
        with pytest.raises(RuntimeError, match="planted"):
            async with asyncio.timeout(30):
                await engine.run(plan, acknowledge=acknowledge)
        assert acknowledged == bool(seen)
        monkeypatch.undo()
        assert 1 == (await engine.run(plan)).output
