"""Reading a state directory beside its writer: lists, events, steps, follow, rehearsals."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from drawloom.chains import Plan, compile_chain, load
from drawloom.drivers.embedded import Engine
from drawloom.drivers.embedded.replaying import replay_edited, replay_recorded
from drawloom.drivers.embedded.store import Store, StoredEvent, open_bindings
from drawloom.drivers.embedded.store_abandon import abandon
from drawloom.errors import StateUnusable, ValueInvalid
from drawloom.runtime import Catalogue
from drawloom.sdk import tool

GATE = asyncio.Event()


@tool(effect="pure")
async def held(n: int) -> int:
    """Wait for the gate."""
    await GATE.wait()
    return n


@tool(effect="read", inline=True)
def big(n: int) -> list[int]:
    """Give a large list."""
    return list(range(n))


@tool(effect="pure", inline=True)
def flaky(n: int) -> int:
    """Fail for odd numbers."""
    if n % 2:
        raise ConnectionRefusedError("odd")
    return n


CATALOGUE = Catalogue([held, big, flaky])
CHAIN = """\
chain: all
input: {n: {type: integer, default: 20000}}
steps:
  big: {use: my.big, with: {n: "${input.n}"}}
  each: {use: my.flaky, for_each: "${[1..4]}", on_error: continue, with: {n: "${item}"},
         retry: {attempts: 2, delay: 1ms}}
  held: {use: my.held, with: {n: 1}}
output: {last: "${steps.big[-1]}", each: "${steps.each}"}
"""


def plan_of(text: str = CHAIN) -> Plan:
    return compile_chain(load(text), CATALOGUE.find)


@pytest.fixture(autouse=True)
def gate() -> None:
    global GATE
    GATE = asyncio.Event()


async def a_run(state: Path, run_id: str, text: str = CHAIN) -> None:
    GATE.set()
    async with Engine(CATALOGUE, state=state) as engine:
        await engine.run(plan_of(text), {}, run_id=run_id)


async def test_a_reader_beside_the_writer_sees_what_is_acknowledged(tmp_path: Path) -> None:
    async with Engine(CATALOGUE, state=tmp_path) as engine:
        run = await engine.start(plan_of(), {})
        with Store(tmp_path) as store:
            assert [found.id for found in store.list("running")] == [run]
            assert not store.run(run).over
            assert store.run(run).seconds is None
            GATE.set()
            await engine.wait(run)
            record = store.run(run)
            assert (record.status, record.output["last"]) == ("succeeded", 19999)
            assert record.seconds is not None and record.seconds > 0


async def test_steps_are_worked_out_with_items_attempts_and_costs(tmp_path: Path) -> None:
    await a_run(tmp_path, "r")
    with Store(tmp_path) as store:
        history = store.history(store.run("r"), CATALOGUE.find)
    each = history.steps["each"]
    assert (each.result.status, each.result.items_done, each.result.items_total) == (
        "succeeded", 4, 4,
    )  # fmt: skip
    assert each.metrics.calls == 6, "two of the four were tried twice"
    assert each.metrics.wall > 0
    assert history.steps["big"].result.output == list(range(20000)), "payloads are put back"
    assert [event.seq for event in history.events] == list(range(1, len(history.events) + 1))


async def test_listing_does_not_read_outputs(tmp_path: Path) -> None:
    await a_run(tmp_path, "r")
    with Store(tmp_path) as store:
        [listed] = store.list()
        assert listed.output is None
        assert store.run("r").output is not None
        assert store.document(listed)["chain"] == "all"


async def test_find_takes_a_prefix_of_one(tmp_path: Path) -> None:
    for run in ("ab1", "ab2", "c"):
        await a_run(tmp_path, run, "chain: a\nsteps: {s: {use: my.big, with: {n: 1}}}\n")
    with Store(tmp_path) as store:
        assert store.find("c") == "c"
        assert store.find("ab1") == "ab1"
        for wrong in ("ab", "", "zz", "%"):
            with pytest.raises(ValueInvalid):
                store.find(wrong)


async def test_events_can_be_read_from_a_place_on(tmp_path: Path) -> None:
    await a_run(tmp_path, "r")
    with Store(tmp_path) as store:
        record = store.run("r")
        every = store.events(record)
        assert store.events(record, after=3) == every[3:]
        assert (every[0].kind, every[0].step) == ("started", None)
        assert {event.step for event in every[1:]} == {"big", "each", "held"}


async def test_follow_gives_each_event_once_and_ends_with_the_run(tmp_path: Path) -> None:
    async with Engine(CATALOGUE, state=tmp_path) as engine:
        run = await engine.start(plan_of(), {})
        seen: list[StoredEvent] = []
        begun = threading.Event()

        def follow() -> None:
            with Store(tmp_path) as store:
                for event in store.follow(run, poll=0.005):
                    seen.append(event)
                    begun.set()

        following = asyncio.create_task(asyncio.to_thread(follow))
        await asyncio.to_thread(begun.wait, 10)
        GATE.set()
        await engine.wait(run)
        await asyncio.wait_for(following, 10)
    assert [event.seq for event in seen] == list(range(1, len(seen) + 1))
    with Store(tmp_path) as store:
        assert len(seen) == len(store.events(store.run(run)))


async def test_follow_ends_where_nobody_has_the_run(tmp_path: Path) -> None:
    async with Engine(CATALOGUE, state=tmp_path) as engine:
        run = await engine.start(plan_of(), {})
        await engine.flush()
    with Store(tmp_path) as store:
        assert [event.kind for event in store.follow(run)][:1] == ["started"]
        assert store.run(run).status == "running"


def test_a_folder_without_a_store_is_said(tmp_path: Path) -> None:
    with pytest.raises(StateUnusable, match="run a chain first"):
        Store(tmp_path)
    assert open_bindings(tmp_path / "state.db") == frozenset()


async def test_bindings_of_unfinished_runs(tmp_path: Path) -> None:
    async with Engine(CATALOGUE, state=tmp_path) as engine:
        await engine.start(plan_of(), {}, bindings={"db": "sqlite:path=x"})
    assert open_bindings(tmp_path / "state.db") == {"sqlite:path=x"}
    await a_run(tmp_path, "other")
    assert "sqlite:path=x" not in open_bindings(tmp_path / "state.db"), "that run has ended"


async def test_replays_of_every_kind_of_run_are_the_same(tmp_path: Path) -> None:
    await a_run(tmp_path, "r")
    with Store(tmp_path) as store:
        report = replay_recorded(store, store.run("r"), CATALOGUE.find)
        assert report.same, report
        again = replay_edited(store, store.run("r"), CATALOGUE.find, plan_of())
        assert again.same, again


async def test_an_unfinished_run_replays_as_running(tmp_path: Path) -> None:
    async with Engine(CATALOGUE, state=tmp_path) as engine:
        run = await engine.start(plan_of(), {})
        await engine.flush()
    with Store(tmp_path) as store:
        assert replay_recorded(store, store.run(run), CATALOGUE.find).same


async def test_an_edit_that_waits_longer_takes_the_recorded_answers(tmp_path: Path) -> None:
    await a_run(tmp_path, "r")
    edited = CHAIN.replace("with: {n: 1}}", "with: {n: 1}, after: [each, big]}")
    with Store(tmp_path) as store:
        assert replay_edited(store, store.run("r"), CATALOGUE.find, plan_of(edited)).same


async def test_fewer_attempts_would_have_changed_nothing_but_the_attempts(tmp_path: Path) -> None:
    await a_run(tmp_path, "r")
    edited = CHAIN.replace("on_error: continue, ", "")
    with Store(tmp_path) as store:
        report = replay_edited(store, store.run("r"), CATALOGUE.find, plan_of(edited))
    found = {one.step: one for one in report.steps}
    assert found["each"].verdict == "differs"
    assert found["each"].why[-1].startswith("failed: transient: item 0")
    assert "the run ends as failed; recorded is succeeded" in report.end.why


async def test_abandoning_ends_a_run_and_keeps_its_history(tmp_path: Path) -> None:
    async with Engine(CATALOGUE, state=tmp_path) as engine:
        run = await engine.start(plan_of(), {})
        with pytest.raises(StateUnusable):
            abandon(tmp_path, run, "owned")
        await engine.flush()
    abandon(tmp_path, run, "given up")
    with Store(tmp_path) as store:
        record = store.run(run)
        events = store.events(record)
    assert record.status == "cancelled"
    assert record.failure is not None and "given up" in record.failure.message
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    async with Engine(CATALOGUE, state=tmp_path) as engine:
        assert engine.recovered == ()
    with pytest.raises(ValueInvalid, match="over already"):
        abandon(tmp_path, run, "twice")


async def test_an_engine_may_take_up_named_runs_only(tmp_path: Path) -> None:
    async with Engine(CATALOGUE, state=tmp_path) as engine:
        one = await engine.start(plan_of(), {})
        two = await engine.start(plan_of(), {})
    async with Engine(CATALOGUE, state=tmp_path, recover=(two,)) as engine:
        assert engine.recovered == (two,)
    async with Engine(CATALOGUE, state=tmp_path) as engine:
        assert set(engine.recovered) == {one, two}


async def test_a_cancelled_and_an_unfinished_run_can_be_rehearsed(tmp_path: Path) -> None:
    async with Engine(CATALOGUE, state=tmp_path) as engine:
        cancelled = await engine.start(plan_of(), {})
        await engine.cancel(cancelled)
        await engine.wait(cancelled)
        under_way = await engine.start(plan_of(), {})
        await engine.flush()
    with Store(tmp_path) as store:
        for run in (cancelled, under_way):
            record = store.run(run)
            assert replay_recorded(store, record, CATALOGUE.find).same, record.status
            report = replay_edited(store, record, CATALOGUE.find, plan_of())
            assert report.same, report


LARGE = """\
chain: large
steps:
  sum: {use: my.big, with: {n: "${$sum([1..200000].($ % 7)) - 599990}"}}
output: {n: "${$count(steps.sum)}"}
"""


async def test_what_was_evaluated_elsewhere_replays_too(tmp_path: Path) -> None:
    await a_run(tmp_path, "r", LARGE)
    with Store(tmp_path) as store:
        record = store.run("r")
        kinds = [event.kind for event in store.events(record)]
        assert "evaluated" in kinds, "it was too large for the loop"
        assert record.status == "succeeded", record.failure
        assert replay_recorded(store, record, CATALOGUE.find).same
        report = replay_edited(store, record, CATALOGUE.find, plan_of(LARGE))
        assert report.same, report
