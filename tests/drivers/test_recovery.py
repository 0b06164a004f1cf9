"""What a dead process left: taken up, or told why it cannot be; others go on."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.drivers.conftest import Compile, MakeEngine
from tests.drivers.tools import Lab

from drawloom.drivers.embedded import Engine
from drawloom.policies import LOSSES_AT_MOST
from drawloom.sdk import Json, tool

HANGS = "{chain: c, steps: {a: {use: my.echo, with: {v: 1}}, b: {use: my.TOOL, with: {seconds: SECONDS, v: '${steps.a}'}}}, output: '${steps.b}'}"


def hanging(name: str) -> str:
    return HANGS.replace("TOOL", name).replace("SECONDS", "600")


async def abandoned(engine: Engine, plan: Any, lab: Lab, tool: str, run_id: str = "r") -> None:
    """Start a run, and leave it while its second step is under way."""
    await engine.start(plan, run_id=run_id)
    while not lab.called[tool]:
        await engine.flush()
        await asyncio.sleep(0)


def rewrite(engine: Engine, sql: str, *values: Any) -> None:
    """Change the store behind the engine's back."""
    assert engine._db is not None
    engine._db.execute(sql, values)


async def test_a_call_that_may_be_repeated_is_made_again(
    make_engine: MakeEngine, compile_for: Compile, lab: Lab
) -> None:
    async with make_engine() as engine:
        await abandoned(engine, compile_for(engine, hanging("pause")), lab, "pause")

    async def at_once(seconds: float) -> None:
        return None

    lab.sleep = at_once
    async with make_engine() as engine:
        assert engine.recovered == ("r",)
        result = await engine.wait("r")
        assert (result.status, result.output) == ("succeeded", 1)
        assert result.steps["b"].attempts == 2
    assert (lab.called["echo"], lab.called["pause"]) == (1, 2)


async def test_a_once_call_under_way_stops_as_unknown_and_stays_so(
    make_engine: MakeEngine, compile_for: Compile, lab: Lab
) -> None:
    async with make_engine() as engine:
        await abandoned(engine, compile_for(engine, hanging("once")), lab, "once")
    for _ in range(2):
        async with make_engine() as engine:
            result = await engine.wait("r")
            assert (result.status, result.unknown) == ("unknown", ("b#1",))
    assert lab.called["once"] == 1
    async with make_engine() as engine:
        await engine.resolve("r", "b#1", "succeeded", output="done by hand")
        assert (await engine.wait("r")).output == "done by hand"
    async with make_engine() as engine:
        assert engine.recovered == ()


async def test_a_run_keeps_the_effects_it_began_with(
    make_engine: MakeEngine, compile_for: Compile, lab: Lab
) -> None:
    """The tool has become repeatable since; what is in the journal was not."""
    async with make_engine() as engine:
        await abandoned(engine, compile_for(engine, hanging("once")), lab, "once")

    @tool(effect="read", name="my.once")
    async def once(seconds: float = 0.0, v: Json = None) -> Json:
        """Do something that has become harmless."""
        lab.called["once"] += 1
        return v

    async with make_engine(once) as engine:
        assert (await engine.wait("r")).status == "unknown"
    assert lab.called["once"] == 1


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("update plans set document = replace(document, 'my.echo', 'my.inline')", "another plan"),
        ("update plans set document = replace(document, 'my.echo', 'my.gone')", "my.gone"),
        ("update events set digest = zeroblob(8) where kind = 'succeeded'", "other arguments"),
        ("update events set call = 'z#1' where kind = 'succeeded'", "never calls"),
        ("update events set kind = 'rhubarb' where kind = 'succeeded'", "rhubarb"),
        ("update events set body = '{' where kind = 'succeeded'", ""),
    ],
)
async def test_a_history_that_does_not_belong_stops_that_run_alone(
    make_engine: MakeEngine, compile_for: Compile, lab: Lab, sql: str, why: str
) -> None:
    async with make_engine() as engine:
        await abandoned(engine, compile_for(engine, hanging("pause")), lab, "pause", "bad")
        plan = compile_for(engine, "{chain: w, steps: {a: {use: my.fail, with: {kind: lost}}}}")
        await engine.run(plan, run_id="good")
        await engine.flush()
        where = (
            "chain = 'c'" if "plans" in sql else "run = (select number from runs where id = 'bad')"
        )
        rewrite(engine, f"{sql} {'and' if 'where' in sql else 'where'} {where}")
    async with make_engine() as engine:
        assert engine.recovered == ("good",)
        assert list(engine.unrecovered) == ["bad"]
        assert why in engine.unrecovered["bad"]
        assert (await engine.wait("good")).status == "unknown"
        new = compile_for(engine, "{chain: n, steps: {a: {use: my.echo}}}")
        assert (await engine.run(new)).status == "succeeded"


async def test_a_rest_goes_on_until_the_same_instant(
    make_engine: MakeEngine, compile_for: Compile, lab: Lab
) -> None:
    text = (
        "{chain: c, steps: {a: {use: my.flaky, with: {times: 1}, retry: {delay: 600, max_delay: 600,"
        " jitter: 0}}}}"
    )
    async with make_engine() as engine:
        await abandoned(engine, compile_for(engine, text), lab, "flaky")
        due = engine._pump.runners["r"].run.lives[0].due
        assert due
    async with make_engine() as engine:
        assert engine._pump.runners["r"].run.lives[0].due == due
        assert list(engine._pump.runners["r"].timers) == ["a#1"]
    assert lab.called["flaky"] == 1


async def test_a_run_that_waits_for_a_person_still_does_after_a_late_event(
    make_engine: MakeEngine, compile_for: Compile
) -> None:
    """The last row of the journal need not be the one that made it wait."""
    async with make_engine() as engine:
        plan = compile_for(engine, "{chain: w, steps: {a: {use: my.fail, with: {kind: lost}}}}")
        await engine.run(plan, run_id="r")
        await engine.flush()
        rewrite(
            engine,
            "insert into events (lsn, run, seq, at, kind, call)"
            " select max(lsn) + 100, max(run), max(seq) + 1, max(at), 'timer', 'z#1' from events",
        )
    async with make_engine() as engine:
        assert (await engine.wait("r")).unknown == ("a#1",)


async def test_an_evaluation_under_way_is_asked_for_again(
    make_engine: MakeEngine, compile_for: Compile, lab: Lab
) -> None:
    large = "$sum($map([1..50000], function($x){$x}))"
    text = f"{{chain: c, steps: {{a: {{use: my.once, when: '{large} > 0'}}}}, output: '${{steps.a}}'}}"
    async with make_engine() as engine:
        await engine.start(compile_for(engine, text), run_id="r")
    assert lab.called["once"] == 0
    async with make_engine() as engine:
        assert engine.recovered == ("r",)
        assert (await engine.wait("r")).status == "succeeded"
    assert lab.called["once"] == 1


EXITS = """
import asyncio, os, sys
from drawloom.chains import compile_chain, load
from drawloom.drivers.embedded import Engine
from drawloom.runtime import Catalogue
from drawloom.sdk import tool

@tool(effect="read")
async def leave() -> int:
    "End the whole process, once the start has been acknowledged."
    await started.wait()
    os._exit(9)

started = asyncio.Event()

async def main():
    catalogue = Catalogue([leave])
    async with Engine(catalogue, state=sys.argv[1]) as engine:
        plan = compile_chain(load("{chain: c, steps: {a: {use: my.leave}}}"), catalogue.find)
        run = engine.recovered[0] if engine.recovered else await engine.start(plan)
        started.set()
        print((await engine.wait(run)).failure)

asyncio.run(main())
"""


@pytest.mark.slow
def test_a_tool_that_ends_the_process_is_not_called_for_ever(tmp_path: Path) -> None:
    command = [sys.executable, "-c", EXITS, str(tmp_path)]
    ends = [
        subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        for _ in range(LOSSES_AT_MOST + 2)
    ]
    assert [end.returncode for end in ends] == [9] * (LOSSES_AT_MOST + 1) + [0]
    assert ends[-1].stdout == "lost: a: the process ended during the call\n"


async def test_the_journal_has_every_event_in_order(
    make_engine: MakeEngine, compile_for: Compile
) -> None:
    async with make_engine() as engine:
        text = (
            "{chain: c, steps: {a: {use: my.flaky, with: {times: 1}, retry: {delay: 0.001}},"
            " b: {use: my.echo, after: [a]}}}"
        )
        await engine.run(compile_for(engine, text))
        await engine.flush()
        assert engine._db is not None
        rows = engine._db.execute("select seq, kind, call from events order by lsn").fetchall()
        effects = json.loads(engine._db.execute("select effects from plans").get)
    assert rows == [
        (1, "started", None), (2, "failed", "a#1"), (3, "timer", "a#1"),
        (4, "succeeded", "a#2"), (5, "succeeded", "b#1"),
    ]  # fmt: skip
    assert effects == {"my.echo": "read", "my.flaky": "read"}
