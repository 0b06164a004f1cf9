"""A tool's first step runs on the pump's task; where it waits, that task becomes its own."""

import asyncio

import pytest

from drawloom import compile_chain, load, tool
from drawloom.drivers.embedded import Engine
from drawloom.runtime import Catalogue


@tool(effect="read", timeout=60)
async def impatient(seconds: float) -> str:
    """Give up by itself, by a deadline set before its first wait."""
    try:
        async with asyncio.timeout(seconds):
            await asyncio.Event().wait()
    except TimeoutError:
        return "gave up"
    return "never"


@tool(effect="read", timeout=60)
async def grouped(n: int) -> int:
    """Wait for tasks of its own, begun before its first wait."""
    async with asyncio.TaskGroup() as group:
        parts = [group.create_task(asyncio.sleep(0, i)) for i in range(n)]
    return sum(part.result() for part in parts)


@tool(effect="read", timeout=60)
async def own_task(n: int) -> bool:
    """Whether the task is the same before and after a wait."""
    before = asyncio.current_task()
    await asyncio.sleep(0)
    return asyncio.current_task() is before


@tool(effect="read")
async def quick(n: int) -> int:
    """Answer at once."""
    return n


async def run_twice(text):
    """Twice: the second time it is known that the tool waits, and it gets a task at once."""
    catalogue = Catalogue([impatient, grouped, own_task, quick])
    plan = compile_chain(load(text), catalogue.find)
    async with Engine(catalogue, durability="memory") as engine:
        return [await engine.run(plan) for _ in range(2)]


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("{use: my.impatient, with: {seconds: 0.01}}", "gave up"),
        ("{use: my.grouped, with: {n: 4}}", 6),
        ("{use: my.own_task, with: {n: 1}}", True),
    ],
)
async def test_deadlines_and_tasks_of_a_tool_are_its_own(step, expected):
    results = await run_twice(
        f"chain: own\nsteps:\n  a: {step}\n  b: {{use: my.quick, with: {{n: 7}}}}\n"
        "output: {a: '${steps.a}', b: '${steps.b}'}"
    )

    assert [{"a": expected, "b": 7}] * 2 == [result.output for result in results]


async def test_other_runs_go_on_while_a_tool_waits():
    gate = asyncio.Event()

    @tool(effect="read", name="my.gated")
    async def gated(n: int) -> int:
        """Wait for the gate."""
        await gate.wait()
        return n

    catalogue = Catalogue([gated, quick])
    slow = compile_chain(
        load("{chain: s, steps: {a: {use: my.gated, with: {n: 1}}}}"), catalogue.find
    )
    fast = compile_chain(
        load("{chain: f, steps: {a: {use: my.quick, with: {n: 1}}}}"), catalogue.find
    )
    async with Engine(catalogue, durability="memory") as engine:
        waiting = await engine.start(slow)
        assert "succeeded" == (await engine.run(fast)).status
        assert (waiting,) == engine.active()
        gate.set()
        assert "succeeded" == (await engine.wait(waiting)).status
