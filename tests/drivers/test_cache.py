"""Answers that are kept: fetched once, given again, forgotten when they should be."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.drivers.conftest import Compile, MakeEngine
from tests.drivers.until import until

from drawloom.chains import compile_chain, load
from drawloom.errors import ChainInvalid, Failure, FailureKind, ToolError
from drawloom.facts import CallQueued, CallRefused, Fact, ToolCall
from drawloom.runtime import caching
from drawloom.runtime.caching import FILE
from drawloom.runtime.guarding import Policies
from drawloom.sdk import Json, Tool, tool


class Service:
    """A tool that counts how often it is really called, and may be told to wait or to break."""

    def __init__(self) -> None:
        self.called: Counter[str] = Counter()
        self.gate = asyncio.Event()
        self.gate.set()
        self.breaks = 0

    def tool(self) -> Tool:
        @tool(effect="read", name="my.look")
        async def look(v: Json = None) -> Json:
            """Look something up."""
            self.called[str(v)] += 1
            await self.gate.wait()
            if self.breaks:
                self.breaks -= 1
                raise ToolError(Failure(FailureKind.INVALID, "broken"))
            return {"v": v, "n": self.called[str(v)]}

        return look


@pytest.fixture
def service() -> Service:
    return Service()


def chain(rule: str = "cache: 1h", given: str = "1") -> str:
    return f"{{chain: c, steps: {{a: {{use: my.look, with: {{v: {given}}}, {rule}}}}}, output: '${{steps.a.n}}'}}"


async def test_an_answer_is_used_again(
    make_engine: MakeEngine, compile_for: Compile, service: Service
) -> None:
    facts: list[Fact] = []
    async with make_engine(service.tool()) as engine:
        engine.watch(facts.append)
        for _ in range(3):
            assert (await engine.run(compile_for(engine, chain()))).output == 1
        assert (await engine.run(compile_for(engine, chain(given="2")))).output == 1
        assert (await engine.run(compile_for(engine, chain("note: no cache")))).output == 2
    assert service.called == {"1": 2, "2": 1}
    calls = [f for f in facts if isinstance(f, ToolCall)]
    assert [call.cached for call in calls] == ["", "fresh", "fresh", "", ""]
    assert {(call.wall, call.cpu) for call in calls if call.cached} == {(0, 0)}


async def test_a_hundred_at_once_make_one_call(
    make_engine: MakeEngine, compile_for: Compile, service: Service
) -> None:
    service.gate.clear()
    async with make_engine(service.tool()) as engine:
        plan = compile_for(engine, chain())
        runs = [asyncio.create_task(engine.run(plan)) for _ in range(100)]
        await until(lambda: len(engine.active()) == 100 and bool(service.called))
        service.gate.set()
        assert {(await run).output for run in runs} == {1}
    assert service.called["1"] == 1


async def test_a_failure_is_not_kept_and_the_next_in_line_asks(
    make_engine: MakeEngine, compile_for: Compile, service: Service
) -> None:
    service.gate.clear()
    service.breaks = 1
    async with make_engine(service.tool()) as engine:
        plan = compile_for(engine, chain())
        runs = [asyncio.create_task(engine.run(plan)) for _ in range(5)]
        await until(lambda: len(engine.active()) == 5 and bool(service.called))
        service.gate.set()
        statuses = Counter([(await run).status for run in runs])
    assert statuses == {"failed": 1, "succeeded": 4}
    assert service.called["1"] == 2


async def test_who_fetches_may_be_cancelled(
    make_engine: MakeEngine, compile_for: Compile, service: Service
) -> None:
    service.gate.clear()
    async with make_engine(service.tool()) as engine:
        plan = compile_for(engine, chain())
        first = await engine.start(plan)
        other = asyncio.create_task(engine.run(plan))
        await until(lambda: len(engine.active()) == 2 and bool(service.called))
        await engine.cancel(first)
        service.gate.set()
        assert (await other).status == "succeeded"
        assert (await engine.wait(first)).status == "cancelled"


async def test_a_stale_answer_is_given_while_a_new_one_is_fetched(
    make_engine: MakeEngine,
    compile_for: Compile,
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = SimpleNamespace(time=lambda: clock.now, now=1_000.0)
    monkeypatch.setattr(caching, "time", clock)
    async with make_engine(service.tool()) as engine:
        plan = compile_for(engine, chain("cache: {ttl: 1m, stale: 1h}"))
        assert (await engine.run(plan)).output == 1
        clock.now += 61
        assert (await engine.run(plan)).output == 1
        await until(lambda: service.called["1"] == 2)
        await asyncio.sleep(0)
        assert (await engine.run(plan)).output == 2


async def test_answers_survive_a_restart_and_are_forgotten_by_tag(
    make_engine: MakeEngine, compile_for: Compile, service: Service, tmp_path: Path
) -> None:
    text = chain("cache: {ttl: 1h, tags: [prices]}")
    async with make_engine(service.tool()) as engine:
        await engine.run(compile_for(engine, text))
    async with make_engine(service.tool()) as engine:
        assert (await engine.run(compile_for(engine, text))).output == 1
        assert engine.answers.clear(tag="weather") == 0
        assert engine.answers.clear(tag="prices") == 1
        assert (await engine.run(compile_for(engine, text))).output == 2
    async with make_engine(service.tool()) as engine:
        assert (await engine.run(compile_for(engine, text))).output == 2
    assert (tmp_path / "state" / FILE).exists()


async def test_a_damaged_file_is_begun_anew(
    make_engine: MakeEngine, compile_for: Compile, service: Service, tmp_path: Path
) -> None:
    async with make_engine(service.tool()) as engine:
        await engine.run(compile_for(engine, chain()))
    (tmp_path / "state" / FILE).write_bytes(b"this is no database" * 100)
    async with make_engine(service.tool()) as engine:
        assert (await engine.run(compile_for(engine, chain()))).output == 2


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("use: my.once, cache: 5m", r"steps\.a\.cache: my\.once does more than look"),
        ("use: my.pause, cache: 5m", r"steps\.a\.cache: my\.pause does more than look"),
        ("use: my.keyed, cache: 5m", r"steps\.a\.cache: my\.keyed does more than look"),
        ("use: core.wait, with: {duration: 1s}, cache: 5m", r"core\.wait gives no answer"),
        ("use: core.chain, with: {chain: inner}, cache: 5m", r"core\.chain gives no answer"),
    ],
)
async def test_only_what_looks_is_kept(make_engine: MakeEngine, step: str, said: str) -> None:
    async with make_engine() as engine:
        with pytest.raises(ChainInvalid, match=said):
            compile_chain(
                load(f"{{chain: c, steps: {{a: {{{step}}}}}}}"),
                engine.catalogue.find,
                find_chain=lambda name: load("{chain: inner, steps: {a: {use: my.echo}}}"),
            )


async def test_a_hit_is_quick(
    make_engine: MakeEngine, compile_for: Compile, service: Service
) -> None:
    """Measured in bench/; here only that nothing is called, a thousand times."""
    async with make_engine(service.tool(), durability="memory") as engine:
        plan: Any = compile_for(engine, chain())
        for _ in range(1_000):
            await engine.run(plan)
    assert service.called["1"] == 1


async def test_a_refresh_passes_the_guards_and_is_measured(
    make_engine: MakeEngine,
    compile_for: Compile,
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = SimpleNamespace(time=lambda: clock.now, now=1_000.0)
    monkeypatch.setattr(caching, "time", clock)
    facts: list[Fact] = []
    async with make_engine(service.tool(), policies=Policies(tools={"my.look": 1})) as engine:
        engine.watch(facts.append)
        plan = compile_for(engine, chain("cache: {ttl: 1m, stale: 1h}"))
        await engine.run(plan)
        clock.now += 61
        service.gate.clear()
        assert (await engine.run(plan)).output == 1
        await until(lambda: service.called["1"] == 2)
        other = asyncio.create_task(engine.run(compile_for(engine, chain("note: x", "2"))))
        await until(lambda: any(isinstance(fact, CallQueued) for fact in facts))
        assert service.called["2"] == 0  # the only place of the tool is the refresh's
        service.gate.set()
        assert (await other).status == "succeeded"
    [told] = [f for f in facts if isinstance(f, ToolCall) and not f.run]
    assert (told.step, told.call, told.tool, told.failure) == ("a", "", "my.look", None)


async def test_a_refresh_that_would_have_to_wait_keeps_the_old_answer(
    make_engine: MakeEngine,
    compile_for: Compile,
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = SimpleNamespace(time=lambda: clock.now, now=1_000.0)
    monkeypatch.setattr(caching, "time", clock)
    facts: list[Fact] = []
    async with make_engine(service.tool(), policies=Policies(tools={"my.look": 1})) as engine:
        engine.watch(facts.append)
        plan = compile_for(engine, chain("cache: {ttl: 1m, stale: 1h}"))
        await engine.run(plan)
        clock.now += 61
        service.gate.clear()
        busy = asyncio.create_task(engine.run(compile_for(engine, chain("note: x", "2"))))
        await until(lambda: service.called["2"] == 1)
        assert (await engine.run(plan)).output == 1
        assert [f.run for f in facts if isinstance(f, CallRefused)] == [""]
        service.gate.set()
        await busy
        assert (await engine.run(plan)).output == 1
        await until(lambda: service.called["1"] == 2)  # the next one has it fetched


async def test_a_refresh_that_takes_too_long_is_given_up(
    make_engine: MakeEngine,
    compile_for: Compile,
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = SimpleNamespace(time=lambda: clock.now, now=1_000.0)
    monkeypatch.setattr(caching, "time", clock)
    facts: list[Fact] = []
    async with make_engine(service.tool()) as engine:
        engine.watch(facts.append)
        plan = compile_for(engine, chain("timeout: 30ms, cache: {ttl: 1m, stale: 1h}"))
        await engine.run(plan)
        clock.now += 61
        service.gate.clear()
        assert (await engine.run(plan)).output == 1
        await until(lambda: any(isinstance(f, ToolCall) and not f.run for f in facts))
        [late] = [f for f in facts if isinstance(f, ToolCall) and not f.run]
        assert late.failure is not None and late.failure.kind is FailureKind.TIMEOUT
        assert (await engine.run(plan)).output == 1
