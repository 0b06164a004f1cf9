"""A run that breaks the engine takes those that wait for it along, and nobody else."""

from __future__ import annotations

import asyncio

import pytest
from tests.drivers.conftest import MakeEngine

from drawloom.chains import compile_chain, load
from drawloom.kernel import Run

INNER = "{chain: inner, steps: {a: {use: my.echo}}}"
OUTER = "{chain: outer, concurrency: 1, steps: {s: {use: core.chain, with: {chain: inner}}}}"


async def test_who_waits_for_a_broken_run_is_told_and_its_turn_is_free(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive, broken = Run.receive, "one.s.1"

    def breaking(self: Run, event: object) -> object:
        if self.run_id == broken:
            raise RuntimeError("a bug")
        return receive(self, event)  # type: ignore[arg-type]

    monkeypatch.setattr(Run, "receive", breaking)
    async with make_engine(durability="memory") as engine:
        plan = compile_chain(
            load(OUTER), engine.catalogue.find, find_chain=lambda name: load(INNER)
        )
        first = asyncio.create_task(engine.run(plan, run_id="one"))
        second = asyncio.create_task(engine.run(plan, run_id="two"))
        with pytest.raises(RuntimeError, match="a bug"):
            await first
        assert (await second).status == "succeeded"
        assert engine.active() == ()
