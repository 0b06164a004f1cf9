"""Drawloom: the same five programs as chains of typed tools.

`memory` keeps nothing. `full` declares its tools idempotent, so that a step is
called only when what it rests on is on disk. `read` declares that they only
look, which spares them that wait. All checks are on in each of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

from bench import steps
from bench.steps import EffectLog
from drawloom import Catalogue, Engine, Plan, compile_chain, load, tool
from drawloom.sdk import Tool

log: EffectLog | None = None


async def step(v: int) -> int:
    """Add one."""
    return await steps.step(v)


async def work(v: int) -> int:
    """Double a number."""
    return await steps.work(v)


async def nap(v: int) -> int:
    """Wait for 50 ms."""
    return await steps.nap(v)


async def carry(rows: list[dict[str, Any]], n: int) -> dict[str, Any]:
    """Pass rows on."""
    return steps.carry(rows, n)


async def effect(run: int, step: int, seconds: float) -> int:
    """Leave a line in the effect log."""
    if log is None:
        raise RuntimeError("a run was taken up again outside W6")
    return await log.effect(run, step, seconds)


def _tools(effects: Literal["idempotent", "read"]) -> list[Tool]:
    # W4 asks for no copy per step: none of these changes what it is given.
    make = tool(effect=effects, readonly_input=True)
    return [make(each) for each in (step, work, nap, carry, effect)]


def _line(name: str, input_: str, count: int, first: str, rest: str, use: str) -> str:
    """A chain of *count* steps in a row; *rest* has `{}` for the step before."""
    lines = [f"  s1: {{use: my.{use}, with: {first}}}"]
    for i in range(2, count + 1):
        lines.append(f"  s{i}: {{use: my.{use}, with: {rest.replace('@', f's{i - 1}')}}}")
    head = f"chain: {name}\nversion: 1.0.0\ninput: {input_}\nsteps:\n"
    return head + "\n".join(lines) + f'\noutput: {{value: "${{steps.s{count}}}"}}\n'


_INTEGER = "{v: {type: integer}}"
TEN = _line("ten", _INTEGER, steps.LENGTH, '{v: "${input.v}"}', '{v: "${steps.@}"}', "step")
NAP = _line("nap", _INTEGER, 1, '{v: "${input.v}"}', "", "nap")
CARRY = _line(
    "carry",
    "{rows: {type: array, items: {type: object}}}",
    steps.MAPPED,
    '{rows: "${input.rows}", n: 0}',
    '{rows: "${steps.@.rows}", n: "${steps.@.n}"}',
    "carry",
)
SLOW = _line(
    "slow",
    "{run: {type: integer}, seconds: {type: number}}",
    steps.LENGTH,
    '{run: "${input.run}", step: 0, seconds: "${input.seconds}"}',
    '{run: "${input.run}", step: "${steps.@}", seconds: "${input.seconds}"}',
    "effect",
)
FAN = """\
chain: fan
version: 1.0.0
input: {items: {type: array, items: {type: integer}}}
steps:
  work:
    use: my.work
    for_each: "${input.items}"
    concurrency: 1000
    with: {v: "${item}"}
output: {value: "${$sum(steps.work)}"}
"""


class Chains:
    """The chains, compiled once, on one engine."""

    def __init__(self, engine: Engine, catalogue: Catalogue) -> None:
        self._engine = engine
        self._ten = _compiled(TEN, catalogue)
        self._fan = _compiled(FAN, catalogue)
        self._nap = _compiled(NAP, catalogue)
        self._carry = _compiled(CARRY, catalogue)

    async def _run(self, plan: Plan, given: dict[str, Any]) -> Any:
        result = await self._engine.run(plan, given)
        if result.status != "succeeded":
            raise RuntimeError(f"{result.chain} {result.status}: {result.failure}")
        output: Any = result.output
        return output["value"]

    async def ten(self, v: int) -> int:
        """See `Programs`."""
        return int(await self._run(self._ten, {"v": v}))

    async def fan_out(self, items: list[int]) -> int:
        """See `Programs`."""
        return int(await self._run(self._fan, {"items": items}))

    async def nap(self, v: int) -> int:
        """See `Programs`."""
        return int(await self._run(self._nap, {"v": v}))

    async def carry(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """See `Programs`."""
        made: dict[str, Any] = await self._run(self._carry, {"rows": rows})
        return made


def _compiled(text: str, catalogue: Catalogue) -> Plan:
    return compile_chain(load(text), catalogue.find)


def _engine(variant: str, state: Path) -> tuple[Engine, Catalogue]:
    catalogue = Catalogue(_tools("read" if variant == "read" else "idempotent"))
    durability: Literal["memory", "full"] = "memory" if variant == "memory" else "full"
    return Engine(catalogue, state=state / "drawloom", durability=durability), catalogue


@asynccontextmanager
async def opened(variant: str, state: Path) -> AsyncIterator[Chains]:
    """See `Module`."""
    engine, catalogue = _engine(variant, state)
    async with engine:
        yield Chains(engine, catalogue)


async def begin(state: Path, effects: EffectLog, runs: int, seconds: float) -> None:
    """Start *runs* slow runs, and be killed while they go on."""
    global log
    log = effects
    engine, catalogue = _engine("full", state)
    async with engine:
        plan = _compiled(SLOW, catalogue)
        names = []
        for run in range(runs):
            given = {"run": run, "seconds": seconds}
            names.append(await engine.start(plan, given, run_id=f"run-{run}"))
            effects.write(run, 0, "started")
        await asyncio.gather(*(engine.wait(name) for name in names))


async def resume(state: Path, effects: EffectLog, runs: int) -> list[str]:
    """Start again after the kill; the final status of each run."""
    global log
    log = effects
    engine, _ = _engine("full", state)
    async with engine:
        names = (f"run-{run}" for run in range(runs))
        return [result.status for result in await asyncio.gather(*map(engine.wait, names))]
