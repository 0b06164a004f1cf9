"""An expression that never ends, or needs gigabytes, dies alone while other runs go on."""

from __future__ import annotations

import asyncio

import pytest
from tests.drivers.conftest import Compile, MakeEngine

ENDLESS = "($f := function($n){$f($n + 1)}; $f(1))"
GREEDY = (
    "$join($map([1..900000], function($x){$join([$string($x), 'aaaaaaaaaaaaaaaaaaaaaaaaaaaa'])}))"
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "hostile",
    [ENDLESS, GREEDY],
    ids=["endless", "greedy"],
)
@pytest.mark.parametrize(
    "place",
    ["with", "when", "output"],
)
async def test_fifty_other_runs_finish_before_the_hostile_one(
    make_engine: MakeEngine, compile_for: Compile, hostile: str, place: str
) -> None:
    parts = {
        "when": f'a: {{use: my.echo, when: "{hostile} = 1"}}',
        "with": f'a: {{use: my.echo, with: {{v: "${{{hostile}}}"}}}}',
    }
    step = parts.get(place, "a: {use: my.echo}")
    output = f'output: "${{{hostile}}}"' if place == "output" else ""
    order: list[str] = []
    async with make_engine(durability="memory") as engine:
        bad = compile_for(engine, f"chain: bad\nsteps:\n  {step}\n{output}")
        good = compile_for(engine, "{chain: good, steps: {a: {use: my.inline, with: {v: 1}}}}")

        async def run(plan: object) -> str:
            result = await engine.run(plan)  # type: ignore[arg-type]
            order.append(result.chain)
            return result.status

        statuses = await asyncio.gather(run(bad), *[run(good) for _ in range(50)])
    assert statuses[1:] == ["succeeded"] * 50
    assert order[-1] == "bad"
    if hostile is ENDLESS:
        assert statuses[0] == "failed"
