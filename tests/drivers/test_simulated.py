"""The simulated driver: time passes only when nothing else is left to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.drivers.tools import Lab

from drawloom.chains import Plan, compile_chain, load
from drawloom.drivers.simulated import Clock, SimulatedEngine
from drawloom.drivers.simulated.clock import BEGINNING

HOUR = 3_600 * 1_000_000  # microseconds


@pytest.fixture
async def engine() -> AsyncIterator[SimulatedEngine]:
    lab = Lab()
    made = SimulatedEngine(lab.catalogue())
    lab.sleep = made.clock.sleep
    async with made:
        yield made


def plan(engine: SimulatedEngine, text: str) -> Plan:
    return compile_chain(load(text), engine.catalogue.find)


async def test_an_hour_of_rest_takes_exactly_an_hour_of_its_own(engine: SimulatedEngine) -> None:
    text = (
        "{chain: c, steps: {a: {use: my.flaky, with: {times: 2},"
        " retry: {delay: 3600, factor: 1, max_delay: 3600, jitter: 0}}}}"
    )
    result = await engine.run(plan(engine, text))
    assert (result.status, result.steps["a"].attempts) == ("succeeded", 3)
    assert engine.clock.now == BEGINNING + 2 * HOUR
    assert result.steps["a"].seconds == 7_200


async def test_calls_that_sleep_at_once_take_as_long_as_the_longest(
    engine: SimulatedEngine,
) -> None:
    text = (
        "{chain: c, steps: {a: {use: my.pause, for_each: [60, 3600, 5], with: {seconds: '${item}'},"
        " timeout: 2h}}}"
    )
    await engine.run(plan(engine, text))
    assert engine.clock.now == BEGINNING + HOUR


async def test_a_call_that_never_ends_runs_into_its_deadline(engine: SimulatedEngine) -> None:
    text = "{chain: c, steps: {a: {use: my.once, with: {seconds: 9000}, timeout: 1h}}}"
    result = await engine.run(plan(engine, text))
    assert result.status == "unknown"
    assert engine.clock.now == BEGINNING + HOUR


async def test_the_same_chain_has_the_same_history_each_time() -> None:
    ends = []
    for _ in range(2):
        lab = Lab()
        engine = SimulatedEngine(lab.catalogue())
        lab.sleep = engine.clock.sleep
        text = (
            "{chain: c, steps: {a: {use: my.flaky, with: {times: 2}, retry: {jitter: 1}},"
            " b: {use: my.pause, with: {seconds: 1.5}}}}"
        )
        async with engine:
            result = await engine.run(plan(engine, text))
        ends.append((engine.clock.now, result.steps))
    assert ends[0] == ends[1]


async def test_a_tool_that_really_waits_is_waited_for() -> None:
    lab = Lab()  # its sleep is the loop's own
    async with SimulatedEngine(lab.catalogue()) as engine:
        text = "{chain: c, steps: {a: {use: my.pause, with: {seconds: 0.001, v: 1}}}}"
        assert (await engine.run(plan(engine, text))).status == "succeeded"
        assert engine.clock.now == BEGINNING


async def test_closing_it_ends_what_is_under_way() -> None:
    began = asyncio.Event()

    async def for_ever(seconds: float) -> None:
        began.set()
        await asyncio.get_running_loop().create_future()

    lab = Lab(for_ever)
    async with SimulatedEngine(lab.catalogue()) as engine:
        text = "{chain: c, steps: {a: {use: my.pause, with: {seconds: 600}}}}"
        await engine.start(plan(engine, text))
        await began.wait()
        assert lab.busy == 1
    assert lab.busy == 0


async def test_what_is_due_together_rings_in_the_order_it_was_set() -> None:
    clock, rung = Clock(now=0), list[str]()
    clock.at(5, lambda: rung.append("b"))
    clock.at(5, lambda: rung.append("c"))
    off = clock.at(1, lambda: rung.append("never"))
    clock.at(3, lambda: rung.append("a"))
    off.off = True
    while clock.advance():
        pass
    assert (rung, clock.now) == (["a", "b", "c"], 5)
