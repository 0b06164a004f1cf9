"""Isolated tools in runs of the embedded engine: journaled, settled by effect, cancelled."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from drawloom.chains import compile_chain, load
from drawloom.chains.plan import Plan
from drawloom.drivers.embedded import Engine
from drawloom.drivers.embedded.store import Store
from drawloom.errors import FailureKind, Overloaded
from drawloom.facts import Fact, ToolCall
from drawloom.project.own_tools import own_tools
from drawloom.runtime import Catalogue
from drawloom.runtime.isolation.usage import census, family

FOLDER = Path(__file__).parents[1] / "runtime" / "isolated_tools"
CATALOGUE = Catalogue(own_tools(FOLDER, ["lab.py"])[0])


def plan_of(steps: str) -> Plan:
    return compile_chain(load(f"chain: c\nsteps:\n{steps}"), CATALOGUE.find)


async def gone(pids: set[int]) -> None:
    """Wait until none of them is left: what is killed is not gone at once."""
    async with asyncio.timeout(10):
        while pids & {each.pid for each in census()}:  # noqa: ASYNC110  # they tell nobody
            await asyncio.sleep(0.01)


async def test_what_a_call_took_is_a_fact_and_in_the_journal(tmp_path: Path) -> None:
    plan = plan_of("  a: {use: my.greedy, with: {size: 50000000}}\n")
    facts: list[Fact] = []
    async with Engine(CATALOGUE, state=tmp_path) as engine:
        engine.watch(facts.append)
        run = await engine.start(plan)
        assert (await engine.wait(run)).status == "succeeded"
    [call] = [fact for fact in facts if isinstance(fact, ToolCall)]
    assert call.peak_memory is not None and call.peak_memory > 50_000_000
    assert call.bytes_in and call.bytes_out
    with Store(tmp_path) as store:
        events = store.events(store.run(run))
    assert [e.peak_memory for e in events if e.peak_memory] == [call.peak_memory]


async def test_one_step_over_its_limit_fails_and_the_others_go_on() -> None:
    plan = plan_of(
        "  a: {use: my.endless, resources: {cpu: 100ms}, retry: {attempts: 1}, on_error: continue}\n"
        "  b: {use: my.number}\n"
    )
    async with Engine(CATALOGUE, durability="memory") as engine:
        result = await engine.run(plan)
    assert result.status == "succeeded"
    failure = result.steps["a"].failure
    assert failure is not None and failure.kind is FailureKind.INVALID
    assert failure.details is not None and 0.1 < failure.details.pop("used") < 1
    assert failure.details == {"limit": "cpu", "allowed": 0.1}


@pytest.mark.slow
async def test_a_call_out_of_time_has_its_process_killed(tmp_path: Path) -> None:
    plan = plan_of(
        f"  a: {{use: my.sleeping, with: {{folder: {tmp_path}}}, timeout: 3s,"
        " resources: {processes: 2}, retry: {attempts: 1}}\n"
    )
    async with Engine(CATALOGUE, durability="memory") as engine:
        result = await engine.run(plan)
        assert result.failure is not None and result.failure.kind is FailureKind.TIMEOUT
    await gone({int(pid) for pid in (tmp_path / "pids").read_text().split()})


async def test_a_once_tool_whose_process_is_killed_is_unknown() -> None:
    plan = plan_of(f"  a: {{use: my.dying, with: {{by: {int(signal.SIGKILL)}}}}}\n")
    async with Engine(CATALOGUE, durability="memory") as engine:
        result = await engine.run(plan)
    assert result.unknown == ("a#1",)


async def test_an_engine_that_holds_too_much_starts_no_run() -> None:
    plan = plan_of("  a: {use: my.number}\n")
    async with Engine(CATALOGUE, durability="memory", memory=1_000_000) as engine:
        with pytest.raises(Overloaded, match="more than its limit of 1 MB") as caught:
            await engine.run(plan)
    assert caught.value.failure.kind is FailureKind.THROTTLED


async def test_many_items_share_few_processes() -> None:
    plan = plan_of('  a: {use: my.number, for_each: "${[1..40]}", concurrency: 20}\n')
    async with Engine(CATALOGUE, durability="memory") as engine:
        result: Any = await engine.run(plan)
    numbers = set(result.steps["a"].output)
    assert 1 <= len(numbers) <= max(2, os.cpu_count() or 1)
    await asyncio.sleep(0)
    assert not numbers & {each.pid for each in census()}


CODE = """\
chain: c
steps:
  a: {use: core.python, with: {code: "import time; output = 1; time.sleep(input['s'])", input: {s: 600}}}
"""


async def test_a_code_step_that_is_off_is_denied_in_a_run_too() -> None:
    catalogue = Catalogue()
    plan = compile_chain(load(CODE), catalogue.find)
    async with Engine(catalogue, durability="memory") as engine:
        result = await engine.run(plan)
    assert result.failure is not None and result.failure.kind is FailureKind.DENIED
    assert "[code] enabled = true" in result.failure.message


_ENGINE = """
import asyncio, sys
from pathlib import Path
from drawloom.chains import compile_chain, load
from drawloom.drivers.embedded import Engine
from drawloom.runtime import Catalogue

async def main():
    catalogue = Catalogue(code_steps=True, sandbox=sys.argv[2])
    plan = compile_chain(load(Path(sys.argv[1]).read_text()), catalogue.find)
    async with Engine(catalogue, durability="memory") as engine:
        await engine.run(plan)

asyncio.run(main())
"""


@pytest.mark.usefixtures("bubblewrap")
@pytest.mark.parametrize(
    ("sandbox", "many"),
    [("bubblewrap", 5), ("monty", 3)],  # engine, worker; bubblewrap twice and the code, or Monty
)
async def test_nothing_of_a_code_step_is_left_when_the_engine_is_killed(
    tmp_path: Path, sandbox: str, many: int
) -> None:
    (tmp_path / "c.yaml").write_text(CODE)
    command = [sys.executable, "-c", _ENGINE, str(tmp_path / "c.yaml"), sandbox]
    engine = subprocess.Popen(command)  # noqa: ASYNC220  # quick enough for a test
    try:
        async with asyncio.timeout(20):
            while len(below := family(engine.pid, census())) < many:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    finally:
        engine.kill()
        engine.wait()
    await gone({each.pid for each in below})


@pytest.mark.usefixtures("bubblewrap")
@pytest.mark.parametrize(
    ("sandbox", "said"),
    [
        ("auto", "run in a bubblewrap sandbox: bubblewrap works here"),
        ("monty", "run in a monty sandbox: `[code] sandbox` is monty"),
    ],
)
def test_the_doctor_tries_the_sandbox_where_code_steps_are_on(
    tmp_path: Path, sandbox: str, said: str
) -> None:
    from drawloom.cli.examining import _code_steps
    from drawloom.project import Project

    (tmp_path / "drawloom.toml").write_text(f"[code]\nenabled = true\nsandbox = '{sandbox}'\n")
    found = _code_steps(Project.find(tmp_path))
    assert (found.grade, found.found) == ("ok", said)
