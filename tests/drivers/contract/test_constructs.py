"""What the engine does itself: the same in every driver."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.drivers.contract.conftest import Driver
from tests.drivers.until import until

from drawloom.chains import Plan, compile_chain, load
from drawloom.drivers.starting import Beginning
from drawloom.errors import ChainInvalid, ValueInvalid
from drawloom.kernel import Pin

CHILD = """
chain: double
input: {n: {type: integer}}
steps: {a: {use: my.inline, with: {v: "${input.n}"}}}
output: {twice: "${steps.a * 2}"}
"""
BROKEN = "{chain: broken, steps: {a: {use: my.fail, with: {kind: conflict}}}}"
ASKS = (
    "{chain: asks, steps: {a: {use: core.wait, with: {signal: go}}}, output: '${steps.a.payload}'}"
)
TELL = """
chain: tell
input: {run: {type: string}, failure: {type: object}}
steps: {a: {use: my.echo, with: {v: "${input.failure.message}"}}}
output: "${input.run} ${steps.a}"
"""
CHAINS = {"double": CHILD, "broken": BROKEN, "asks": ASKS, "tell": TELL}


def plan_of(driver: Driver, text: str, **more: str) -> Plan:
    chains = {**CHAINS, **more}
    return compile_chain(
        load(text), driver.engine.catalogue.find, find_chain=lambda name: load(chains[name])
    )


async def run(driver: Driver, text: str, input: Any = None, **more: Any) -> Any:
    return await driver.engine.run(plan_of(driver, text), input, **more)


# -- sub-chains ------------------------------------------------------------------


async def test_a_chain_runs_another_and_gets_what_it_gives(driver: Driver) -> None:
    result = await run(
        driver,
        "{chain: c, steps: {a: {use: core.chain, for_each: [1, 2, 3],"
        " with: {chain: double, input: {n: '${item}'}}}}, output: '${steps.a.twice}'}",
    )
    assert result.output == [4, 6, 8]
    assert driver.engine.active() == ()


async def test_a_run_of_a_sub_chain_is_a_run_of_its_own(driver: Driver) -> None:
    await run(
        driver,
        "{chain: c, steps: {a: {use: core.chain, with: {chain: double, input: {n: 1}}}}}",
        run_id="up",
    )
    if driver.keeps:
        assert (await driver.engine.wait("up.a.1")).output == {"twice": 4}


async def test_a_sub_chain_that_fails_fails_the_step_and_names_its_run(driver: Driver) -> None:
    result = await run(
        driver, "{chain: c, steps: {a: {use: core.chain, with: {chain: broken}}}}", run_id="up"
    )
    assert result.status == "failed"
    assert result.failure.message == "a: broken: a: asked to be conflict"
    assert result.failure.details["run"] == "up.a.1"
    assert result.steps["a"].attempts == 1


async def test_a_sub_chain_is_started_anew_only_if_asked(driver: Driver) -> None:
    result = await run(
        driver,
        "{chain: c, steps: {a: {use: core.chain, with: {chain: broken},"
        " retry: {attempts: 2, delay: 0.01, on: [conflict]}}}}",
    )
    assert (result.status, result.steps["a"].attempts) == ("failed", 2)
    assert driver.lab.called["fail"] == 2


async def test_cancelling_reaches_down_and_waits_for_the_clean_up(driver: Driver) -> None:
    slow = (
        "{chain: slow, steps: {a: {use: my.pause, with: {seconds: 600}},"
        " tidy: {use: my.echo, after: {a: finished}}}}"
    )
    plan = plan_of(
        driver, "{chain: c, steps: {a: {use: core.chain, with: {chain: slow}}}}", slow=slow
    )
    await driver.engine.start(plan, run_id="up")
    await until(lambda: "up.a.1" in driver.engine.active())
    await driver.engine.cancel("up", "enough")
    result = await driver.engine.wait("up")
    assert (result.status, result.steps["a"].status) == ("cancelled", "cancelled")
    assert driver.lab.called["echo"] == 1
    assert driver.engine.active() == ()


async def test_a_sub_chain_that_takes_too_long_is_stopped(driver: Driver) -> None:
    result = await run(
        driver,
        "{chain: c, steps: {a: {use: core.chain, with: {chain: asks}, timeout: 0.05}}}",
        run_id="up",
    )
    # It is told that the run waits; only time ends it.
    while result.status == "waiting":
        await driver.lab.sleep(0.02)
        result = await driver.engine.wait("up")
    assert (result.status, result.failure.kind) == ("failed", "timeout")
    assert driver.engine.active() == ()


async def test_who_waits_for_a_run_hears_that_its_sub_chain_waits(driver: Driver) -> None:
    text = "{chain: c, steps: {a: {use: core.chain, with: {chain: asks}}}, output: '${steps.a}'}"
    assert (await run(driver, text, run_id="up")).status == "waiting"
    await driver.engine.signal("up.a.1", "go", {"by": "hand"})
    result = await driver.engine.wait("up")
    assert (result.status, result.output) == ("succeeded", {"by": "hand"})


def test_chains_that_start_each_other_are_refused(driver: Driver) -> None:
    one = "{chain: one, steps: {a: {use: core.chain, with: {chain: two}}}}"
    two = "{chain: two, steps: {a: {use: core.chain, with: {chain: one}}}}"
    with pytest.raises(ChainInvalid, match="for ever: one -> two -> one"):
        plan_of(driver, one, one=one, two=two)


def test_chains_do_not_lie_deeper_than_allowed(driver: Driver) -> None:
    deep = {
        f"c{n}": f"{{chain: c{n}, steps: {{a: {{use: core.chain, with: {{chain: c{n + 1}}}}}}}}}"
        for n in range(20)
    }
    with pytest.raises(ChainInvalid, match="more than 16 deep"):
        plan_of(driver, deep["c0"], **deep)


# -- repeat ----------------------------------------------------------------------


async def test_a_step_repeats_until_its_condition_holds(driver: Driver) -> None:
    result = await run(
        driver,
        "{chain: c, steps: {a: {use: my.inline, with: {v: '${steps.a ?? 0}'},"
        " repeat: {until: steps.a = 4, delay: 0.001}}}, output: '${steps.a}'}",
    )
    assert (result.output, driver.lab.called["inline"]) == (4, 4)


async def test_a_repeat_has_a_limit(driver: Driver) -> None:
    result = await run(
        driver,
        "{chain: c, steps: {a: {use: my.inline, with: {v: 0},"
        " repeat: {until: steps.a > 9, limit: 3}}}}",
    )
    assert (result.status, result.failure.kind) == ("failed", "conflict")
    assert driver.lab.called["inline"] == 3


async def test_each_pass_has_its_own_attempts(driver: Driver) -> None:
    result = await run(
        driver,
        "{chain: c, steps: {a: {use: my.flaky, with: {times: 2}, retry: {attempts: 3, delay: 0.001},"
        " repeat: {until: 'false', limit: 3}}}}",
    )
    assert result.failure.details["passes"] == 3
    assert driver.lab.called["flaky"] == 5


async def test_items_repeat_each_for_itself(driver: Driver) -> None:
    result = await run(
        driver,
        "{chain: c, steps: {a: {use: my.inline, for_each: [1, 5, 9], with: {v: '${steps.a ?? item}'},"
        " repeat: {until: steps.a >= 7}}}, output: '${steps.a}'}",
    )
    assert result.output == [7, 7, 10]


# -- batches ---------------------------------------------------------------------


async def test_items_go_in_batches(driver: Driver) -> None:
    result = await run(
        driver,
        "{chain: c, steps: {a: {use: my.echo, for_each: '${[1..5]}', batch: 2,"
        " with: {v: '${item}'}}}, output: '${steps.a}'}",
    )
    assert result.output == [[1, 2], [3, 4], [5]]


# -- waits -----------------------------------------------------------------------


async def test_a_wait_takes_its_time(driver: Driver) -> None:
    result = await run(
        driver,
        "{chain: c, steps: {a: {use: core.wait, with: {duration: 20ms}}}, output: '${steps.a.received}'}",
    )
    assert (result.status, result.output) == ("succeeded", False)


async def test_a_wait_until_an_instant_that_is_past_is_over_at_once(driver: Driver) -> None:
    result = await run(
        driver,
        "{chain: c, steps: {a: {use: core.wait, with: {until: '1999-01-01T00:00:00Z'}}}}",
    )
    assert result.status == "succeeded"


@pytest.mark.parametrize(
    "given",
    ["{}", "{duration: 1s, signal: go}", "{until: tomorrow}", "{until: '2026-01-01T00:00:00'}"],
)
async def test_a_wait_for_nothing_that_makes_sense_is_invalid(driver: Driver, given: str) -> None:
    result = await run(driver, f"{{chain: c, steps: {{a: {{use: core.wait, with: {given}}}}}}}")
    assert (result.status, result.failure.kind) == ("failed", "invalid")


SIGNAL = """
chain: c
steps:
  a:
    use: core.wait
    with: {signal: paid, schema: {type: object, required: [amount]}}
output: "${steps.a.payload.amount}"
"""


async def test_a_run_waits_for_a_signal(driver: Driver) -> None:
    result = await run(driver, SIGNAL, run_id="r")
    assert (result.status, result.waits) == ("waiting", ("a#1",))
    with pytest.raises(ValueInvalid, match="amount"):
        await driver.engine.signal("r", "paid", {})
    with pytest.raises(ValueInvalid, match="has no signal 'paidd'; it waits for paid"):
        await driver.engine.signal("r", "paidd", {})
    await driver.engine.signal("r", "paid", {"amount": 7})
    result = await driver.engine.wait("r")
    assert (result.status, result.output) == ("succeeded", 7)
    if driver.keeps:
        with pytest.raises(ValueInvalid, match="is over: it has succeeded"):
            await driver.engine.signal("r", "paid", {"amount": 8})


async def test_a_signal_that_comes_early_is_kept(driver: Driver) -> None:
    text = (
        "{chain: c, steps: {first: {use: core.wait, with: {signal: one}},"
        " a: {use: core.wait, with: {signal: two}, after: [first]}}, output: '${steps.a.payload}'}"
    )
    await run(driver, text, run_id="r")
    await driver.engine.signal("r", "two", "early")
    await driver.engine.signal("r", "one")
    assert (await driver.engine.wait("r")).output == "early"


@pytest.mark.parametrize(
    ("then", "status"), [("", "failed"), (", on_deadline: continue", "succeeded")]
)
async def test_a_signal_that_does_not_come(driver: Driver, then: str, status: str) -> None:
    text = (
        f"{{chain: c, steps: {{a: {{use: core.wait, with: {{signal: s, deadline: 20ms{then}}}}}}},"
        " output: '${steps.a.received}'}"
    )
    result = await run(driver, text, run_id="r")
    while result.status == "waiting":
        await driver.lab.sleep(0.01)
        result = await driver.engine.wait("r")
    assert result.status == status
    assert result.output is (None if status == "failed" else False)


# -- approvals -------------------------------------------------------------------

APPROVE = """
chain: c
steps:
  ask:
    use: core.approve
    with:
      title: Pay?
      approvers: [ada, bob, cyd]
      needed: 2
      form: {limit: {type: integer, maximum: 100}}
  pay: {use: my.echo, with: {v: "${steps.ask.answers.limit}"}, when: steps.ask.approved}
output: {by: "${steps.ask.by}", limit: "${steps.pay}"}
"""


async def test_several_people_approve(driver: Driver) -> None:
    result = await run(driver, APPROVE, run_id="r")
    assert (result.status, result.waits) == ("waiting", ("ask#1",))
    approve = driver.engine.approve
    with pytest.raises(ValueInvalid, match="'eve' was not asked by step 'ask'"):
        await approve("r", "ask", "eve", answers={"limit": 1})
    with pytest.raises(ValueInvalid, match="limit"):
        await approve("r", "ask", "ada", answers={"limit": 1_000})
    with pytest.raises(ValueInvalid, match="does not wait at 'pay'"):
        await approve("r", "pay", "ada", answers={"limit": 1})
    await approve("r", "ask", "ada", answers={"limit": 5})
    assert (await driver.engine.wait("r")).status == "waiting"
    with pytest.raises(ValueInvalid, match="has approved step 'ask' already"):
        await approve("r", "ask", "ada", answers={"limit": 5})
    await approve("r", "ask", "bob", answers={"limit": 9})
    result = await driver.engine.wait("r")
    assert result.output == {"by": ["ada", "bob"], "limit": 9}


async def test_one_no_is_a_no(driver: Driver) -> None:
    await run(driver, APPROVE, run_id="r")
    await driver.engine.approve("r", "ask", "bob", approve=False, comment="too dear")
    result = await driver.engine.wait("r")
    assert (result.status, result.failure.kind) == ("failed", "denied")
    assert result.failure.message == "ask: rejected by bob: too dear"
    assert driver.lab.called["echo"] == 0


async def test_a_no_may_only_be_a_branch(driver: Driver) -> None:
    text = (
        "{chain: c, steps: {a: {use: core.approve, with: {title: t, on_reject: continue}}},"
        " output: '${steps.a.approved}'}"
    )
    await run(driver, text, run_id="r")
    await driver.engine.approve("r", "a", "anybody", approve=False)
    assert (await driver.engine.wait("r")).output is False


@pytest.mark.parametrize(
    ("then", "output"), [("fail", None), ("approve", True), ("reject", False)]
)
async def test_nobody_answers_in_time(driver: Driver, then: str, output: Any) -> None:
    text = (
        "{chain: c, steps: {a: {use: core.approve, with: {title: t, deadline: 20ms,"
        f" on_deadline: {then}}}}}}}, output: '${{steps.a.approved}}'}}"
    )
    result = await run(driver, text, run_id="r")
    while result.status == "waiting":
        await driver.lab.sleep(0.01)
        result = await driver.engine.wait("r")
    assert result.output is output
    assert result.status == ("failed" if then == "fail" else "succeeded")


# -- sagas -----------------------------------------------------------------------

SAGA = """
chain: c
steps:
  one: {use: my.echo, with: {v: 1}, compensate: {use: my.keyed, with: {v: "${output}"}}}
  two:
    use: my.echo
    for_each: [a, b]
    concurrency: 1
    with: {v: "${item}"}
    after: [one]
    compensate: {use: my.keyed, with: {v: "${index} ${item} ${output}"}}
  bad: {use: my.fail, with: {kind: conflict}, after: [two]}
"""


async def test_what_succeeded_is_undone_the_last_first(driver: Driver) -> None:
    result = await run(driver, SAGA, run_id="r")
    assert result.status == "failed"
    assert driver.lab.keys == ["r/two!undo[1]", "r/two!undo[0]", "r/one!undo"]
    assert result.failure.details["undo"] == {"undone": ["two[1]", "two[0]", "one"]}


async def test_an_undo_that_fails_is_told_and_the_others_go_on(driver: Driver) -> None:
    text = """
chain: c
steps:
  one: {use: my.echo, with: {v: 1}, compensate: {use: my.echo, with: {v: 1}}}
  two: {use: my.echo, after: [one], compensate: {use: my.fail, with: {kind: denied}}}
  bad: {use: my.fail, with: {kind: conflict}, after: [two]}
"""
    result = await run(driver, text)
    assert result.failure.message == "bad: asked to be conflict; could not undo two"
    told = result.failure.details["undo"]
    assert told["undone"] == ["one"]
    assert told["failed"]["two"] == {"kind": "denied", "message": "asked to be denied"}


async def test_a_run_that_succeeds_undoes_nothing(driver: Driver) -> None:
    text = "{chain: c, steps: {a: {use: my.echo, compensate: {use: my.keyed}}}}"
    assert (await run(driver, text)).status == "succeeded"
    assert driver.lab.keys == []


async def test_a_cancelled_run_is_undone(driver: Driver) -> None:
    text = (
        "{chain: c, steps: {a: {use: my.echo, compensate: {use: my.keyed}},"
        " b: {use: core.wait, with: {signal: s}, after: [a]}}}"
    )
    await run(driver, text, run_id="r")
    await driver.engine.cancel("r", "no more")
    assert (await driver.engine.wait("r")).status == "cancelled"
    assert driver.lab.keys == ["r/a!undo"]


async def test_an_undo_with_an_unknown_outcome_waits_for_a_person(driver: Driver) -> None:
    text = (
        "{chain: c, steps: {a: {use: my.echo, compensate: {use: my.fail, with: {kind: lost}}},"
        " b: {use: my.fail, with: {kind: conflict}, after: [a]}}}"
    )
    result = await run(driver, text, run_id="r")
    assert (result.status, result.unknown) == ("unknown", ("a!undo#1",))
    await driver.engine.resolve("r", "a!undo#1", "failed", message="it is still there")
    result = await driver.engine.wait("r")
    assert result.failure.details["undo"]["failed"]["a"]["message"] == "it is still there"


# -- the whole run ---------------------------------------------------------------


async def test_the_chain_for_failures_runs_when_a_run_fails(driver: Driver) -> None:
    text = "{chain: c, on_failure: tell, steps: {a: {use: my.fail, with: {kind: conflict}}}}"
    over = asyncio.Event()
    ended: list[Any] = []

    def note(fact: Any) -> None:
        if type(fact).__name__ == "RunEnded":
            ended.append(fact)
            if fact.chain == "tell":
                over.set()

    driver.engine.watch(note)
    assert (await run(driver, text, run_id="r")).status == "failed"
    await over.wait()
    assert [(fact.run, fact.status) for fact in ended] == [
        ("r", "failed"), ("r.on-failure", "succeeded"),
    ]  # fmt: skip
    if driver.keeps:
        told = await driver.engine.wait("r.on-failure")
        assert told.output == "r a: asked to be conflict"


async def test_a_run_has_a_deadline(driver: Driver) -> None:
    text = (
        "{chain: c, timeout: 0.05, steps: {a: {use: my.pause, with: {seconds: 600}},"
        " tidy: {use: my.echo, after: {a: finished}}}}"
    )
    result = await run(driver, text)
    assert (result.status, result.failure.kind) == ("failed", "timeout")
    assert result.steps["tidy"].status == "succeeded"


async def test_runs_with_the_same_key_go_one_after_the_other(driver: Driver) -> None:
    text = (
        "{chain: c, input: {who: {type: string}}, concurrency: {limit: 1, key: '${input.who}'},"
        " steps: {a: {use: my.pause, with: {seconds: 0.005}}}}"
    )
    plan = plan_of(driver, text)
    whos = ["ada", "bob"] * 4
    results = await asyncio.gather(*[driver.engine.run(plan, {"who": who}) for who in whos])
    assert {result.status for result in results} == {"succeeded"}
    assert driver.lab.busiest == 2


async def test_who_waits_for_its_turn_may_be_cancelled(driver: Driver) -> None:
    text = "{chain: c, concurrency: 1, steps: {a: {use: core.wait, with: {signal: s}}}}"
    plan = plan_of(driver, text)
    await driver.engine.run(plan, run_id="one")
    await driver.engine.start(plan, run_id="two")
    await driver.engine.start(plan, run_id="three")
    await driver.engine.cancel("two")
    assert (await driver.engine.wait("two")).status == "cancelled"
    await driver.engine.signal("one", "s")
    assert (await driver.engine.wait("three")).status == "waiting"


async def test_a_start_key_starts_once(driver: Driver) -> None:
    text = "{chain: c, input: {n: {type: integer}}, steps: {a: {use: my.inline, with: {v: '${input.n}'}}}}"
    plan = plan_of(driver, text)
    keyed = Beginning(key="monday")
    first = await driver.engine.start(plan, {"n": 1}, beginning=keyed)
    assert await driver.engine.start(plan, {"n": 1}, beginning=keyed) == first
    await driver.engine.wait(first) if driver.keeps else await asyncio.sleep(0)
    assert await driver.engine.start(plan, {"n": 1}, beginning=keyed) == first
    with pytest.raises(ValueInvalid, match=r"belongs to run .* began with another input"):
        await driver.engine.start(plan, {"n": 2}, beginning=keyed)
    assert await driver.engine.start(plan, {"n": 2}, beginning=Beginning(key="tuesday")) != first
    await until(lambda: not driver.engine.active())
    assert driver.lab.called["inline"] == 2


# -- a part of a chain -----------------------------------------------------------

PARTS = """
chain: c
steps:
  a: {use: my.keyed, with: {v: 1}}
  b: {use: my.keyed, with: {v: "${steps.a}"}}
  c: {use: my.keyed, with: {v: "${steps.b}"}}
  other: {use: my.keyed, with: {v: 0}}
output: "${steps.c}"
"""


async def test_a_pinned_step_is_not_called(driver: Driver) -> None:
    result = await run(
        driver, PARTS, run_id="r", beginning=Beginning(pins={"a": Pin(output="pinned")})
    )
    assert (result.output, sorted(driver.lab.keys)) == ("pinned", ["r/b", "r/c", "r/other"])


async def test_a_part_of_a_chain_runs_alone(driver: Driver) -> None:
    beginning = Beginning(pins={"a": Pin(output=7)}, only=("b",))
    result = await run(driver, PARTS, run_id="r", beginning=beginning)
    assert (result.status, result.output, driver.lab.keys) == ("succeeded", {"b": 7}, ["r/b"])
    assert {name: step.status for name, step in result.steps.items()} == {
        "a": "succeeded", "b": "succeeded", "c": "skipped", "other": "skipped",
    }  # fmt: skip


async def test_a_part_needs_what_it_rests_on(driver: Driver) -> None:
    with pytest.raises(ValueInvalid, match="step 'c' needs 'b', which is neither run nor pinned"):
        await run(driver, PARTS, beginning=Beginning(only=("c",)))
    with pytest.raises(ValueInvalid, match="no step 'x'"):
        await run(driver, PARTS, beginning=Beginning(pins={"x": Pin()}))


# -- enrichment ------------------------------------------------------------------

ENRICH = """
chain: c
vars: {rows: [{id: 1, who: a}, {id: 2, who: b}, {id: 3, who: a}, {id: 4, who: null}]}
steps:
  a:
    use: core.enrich
    with:
      rows: "${vars.rows}"
      key: who
      match: name
      batch: 1
      into: person
      missing: keep
      lookup: {use: my.echo, with: {v: [{name: "${item}", age: 7}]}}
output: "${steps.a}"
"""


async def test_rows_are_enriched_and_each_key_is_asked_once(driver: Driver) -> None:
    result = await run(driver, ENRICH)
    assert driver.lab.called["echo"] == 2
    rows = result.output["rows"]
    assert [row["person"] and row["person"]["name"] for row in rows] == ["a", "b", "a", None]
    assert result.output["missing"] == 1


async def test_a_row_without_an_answer_fails_unless_said_otherwise(driver: Driver) -> None:
    result = await run(driver, ENRICH.replace("missing: keep", "missing: fail"))
    assert (result.status, result.failure.kind) == ("failed", "invalid")
    assert "found nothing for who None" in result.failure.message
    result = await run(driver, ENRICH.replace("missing: keep", "missing: drop"))
    assert [row["id"] for row in result.output["rows"]] == [1, 2, 3]
