"""The same chain, input and answers give the same statuses, outputs and failures everywhere."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.drivers.contract.conftest import Driver

from drawloom.errors import ValueInvalid
from drawloom.facts import Fact, RunEnded, RunStalled, RunStarted, StepEnded

SHAPES = """
chain: shapes
input: {n: {type: integer, default: 5}, no: {type: boolean, default: false}}
steps:
  one: {use: my.echo, with: {v: {n: "${input.n}"}}}
  flaky: {use: my.flaky, with: {times: 2, v: "${steps.one.n}"}, retry: {delay: 0.01, jitter: 0}}
  side: {use: my.echo, with: {v: side}, after: [one]}
  never: {use: my.echo, with: {v: x}, when: input.no}
  after_never: {use: my.echo, with: {v: "${steps.never}"}}
  any: {use: my.echo, with: {v: any}, after: [never, side], join: any}
  each: {use: my.inline, for_each: [1, 2, 3], with: {v: "${item}"}, when: item != 2}
  wrong: {use: my.fail, with: {kind: denied}}
  routed: {use: my.echo, with: {v: "${failures.wrong.kind}"}, after: {wrong: failed}}
  tidy: {use: my.echo, with: {v: tidy}, after: {each: finished}}
output: {all: ["${steps.flaky}", "${steps.side}", "${steps.any}", "${steps.each}", "${steps.routed}"]}
"""


async def test_every_construct_gives_the_same(driver: Driver) -> None:
    result = await driver.run(SHAPES)
    assert (result.status, result.failure) == ("succeeded", None)
    assert result.output == {"all": [5, "side", "any", [2, 4], "denied"]}
    assert {name: step.status for name, step in result.steps.items()} == {
        "one": "succeeded", "flaky": "succeeded", "side": "succeeded", "never": "skipped",
        "after_never": "skipped", "any": "succeeded", "each": "succeeded", "wrong": "failed",
        "routed": "succeeded", "tidy": "succeeded",
    }  # fmt: skip
    assert result.steps["flaky"].attempts == 3
    assert (result.steps["each"].items_done, result.steps["each"].items_total) == (3, 3)


async def test_a_failure_names_its_step_and_stops_the_rest(driver: Driver) -> None:
    result = await driver.run(
        """
chain: c
steps:
  wrong: {use: my.fail, with: {kind: denied}}
  slow: {use: my.pause, with: {seconds: 600}}
  tidy: {use: my.echo, with: {v: tidied}, after: {slow: finished}}
"""
    )
    assert result.status == "failed"
    assert result.failure is not None
    assert result.failure.message == "wrong: asked to be denied"
    assert {name: step.status for name, step in result.steps.items()} == {
        "wrong": "failed", "slow": "cancelled", "tidy": "succeeded",
    }  # fmt: skip


async def test_input_that_does_not_fit_starts_nothing(driver: Driver) -> None:
    plan = driver.plan("{chain: c, input: {n: {type: integer}}, steps: {a: {use: my.echo}}}")
    with pytest.raises(ValueInvalid, match="n"):
        await driver.engine.start(plan, {"n": "many"})
    assert driver.engine.active() == ()
    assert not driver.lab.called


async def test_a_run_id_is_used_once(driver: Driver) -> None:
    plan = driver.plan("{chain: c, steps: {a: {use: my.fail, with: {kind: lost}}}}")
    await driver.engine.run(plan, run_id="mine")
    with pytest.raises(ValueInvalid, match="already a run 'mine'"):
        await driver.engine.run(plan, run_id="mine")
    await driver.engine.cancel("mine")
    await driver.engine.wait("mine")
    if driver.keeps:
        with pytest.raises(ValueInvalid, match="already a run 'mine'"):
            await driver.engine.run(plan, run_id="mine")


async def test_a_call_that_takes_too_long_is_a_timeout(driver: Driver) -> None:
    result = await driver.run(
        "{chain: c, steps: {a: {use: my.pause, with: {seconds: 600}, timeout: 0.05,"
        " retry: {attempts: 2, delay: 0.01}}}}"
    )
    assert result.failure is not None
    assert (result.failure.kind, result.steps["a"].attempts) == ("timeout", 2)


async def test_an_unknown_outcome_waits_for_a_person_who_says_how_it_ended(driver: Driver) -> None:
    text = (
        "{chain: c, steps: {a: {use: my.once, with: {seconds: 600}, timeout: 0.05}},"
        " output: '${steps.a}'}"
    )
    result = await driver.run(text, run_id="r")
    assert (result.status, result.unknown) == ("unknown", ("a#1",))
    assert (await driver.engine.wait("r")).status == "unknown"
    with pytest.raises(ValueInvalid, match="does not wait for 'a#7'"):
        await driver.engine.resolve("r", "a#7", "failed")
    await driver.engine.resolve("r", "a#1", "succeeded", output="it did")
    result = await driver.engine.wait("r")
    assert (result.status, result.output) == ("succeeded", "it did")
    assert driver.lab.called["once"] == 1


async def test_a_person_may_have_it_made_again_or_say_that_it_failed(driver: Driver) -> None:
    text = "{chain: c, steps: {a: {use: my.once, with: {seconds: 600}, timeout: 0.05}}}"
    await driver.run(text, run_id="r")
    await driver.engine.resolve("r", "a#1", "again")
    assert (await driver.engine.wait("r")).unknown == ("a#2",)
    await driver.engine.resolve("r", "a#2", "failed", message="nobody got it")
    result = await driver.engine.wait("r")
    assert result.failure is not None
    assert result.failure.message == "a: nobody got it"
    assert driver.lab.called["once"] == 2


async def test_cancel_stops_a_run_and_lets_it_clean_up(driver: Driver) -> None:
    plan = driver.plan(
        "{chain: c, steps: {a: {use: my.pause, with: {seconds: 600}},"
        " tidy: {use: my.echo, after: {a: finished}}}}"
    )
    run = await driver.engine.start(plan)
    await driver.engine.cancel(run, "enough")
    result = await driver.engine.wait(run)
    assert result.status == "cancelled"
    assert result.failure is not None
    assert result.failure.message == "cancelled: enough"
    assert [step.status for step in result.steps.values()] == ["cancelled", "succeeded"]


async def test_cancel_ends_a_run_that_waits_for_a_person(driver: Driver) -> None:
    text = "{chain: c, steps: {a: {use: my.fail, with: {kind: lost}}}}"
    assert (await driver.run(text, run_id="r")).status == "unknown"
    await driver.engine.cancel("r")
    result = await driver.engine.wait("r")
    assert (result.status, result.steps["a"].status) == ("cancelled", "unknown")


async def test_no_more_items_at_once_than_allowed(driver: Driver) -> None:
    result = await driver.run(
        "{chain: c, steps: {a: {use: my.pause, for_each: '${[1..9]}', concurrency: 3,"
        " with: {seconds: 0.005, v: '${item}'}}}, output: '${steps.a}'}"
    )
    assert result.output == list(range(1, 10))
    assert driver.lab.busiest == 3


async def test_every_attempt_has_the_same_key_and_every_item_its_own(driver: Driver) -> None:
    await driver.run(
        "{chain: c, steps: {a: {use: my.keyed, with: {v: fail first}, retry: {delay: 0.01}},"
        " b: {use: my.keyed, for_each: [1, 2], with: {v: '${item}'}, after: [a]}}}",
        run_id="r",
    )
    assert driver.lab.keys == ["r/a", "r/a", "r/b[0]", "r/b[1]"]


async def test_each_pass_of_a_repeat_has_a_key_of_its_own(driver: Driver) -> None:
    result = await driver.run(
        "{chain: c, steps: {a: {use: my.keyed, with: {v: '${(steps.a ?? 0) + 1}'},"
        " repeat: {until: steps.a = 3}}}}",
        run_id="r",
    )
    assert result.status == "succeeded", result.failure
    assert driver.lab.keys == ["r/a", "r/a*1", "r/a*2"]


async def test_an_expression_that_is_too_large_for_the_loop_is_evaluated_all_the_same(
    driver: Driver,
) -> None:
    large = "$sum($map([1..50000], function($x){$x}))"
    result = await driver.run(
        f"{{chain: c, steps: {{a: {{use: my.echo, with: {{v: '${{{large}}}'}}}}}}, output: '${{steps.a}}'}}"
    )
    assert result.output == 50_000 * 50_001 // 2


@pytest.mark.slow
async def test_an_expression_that_never_ends_fails_its_step(driver: Driver) -> None:
    forever = "($f := function($n){$f($n + 1)}; $f(1))"
    result = await driver.run(
        f"{{chain: c, steps: {{a: {{use: my.echo, with: {{v: '${{{forever}}}'}}}}}}}}"
    )
    assert result.failure is not None
    assert result.failure.kind == "invalid"


@pytest.mark.parametrize("output", ["$nothing", "steps.a.gone"])
async def test_an_output_that_leads_nowhere_fails_the_run(driver: Driver, output: str) -> None:
    result = await driver.run(
        f"{{chain: c, steps: {{a: {{use: my.echo}}}}, output: '${{{output}}}'}}"
    )
    assert (result.status, result.failure and result.failure.kind) == ("failed", "invalid")


async def test_many_runs_at_once_keep_to_themselves(driver: Driver) -> None:
    plan = driver.plan(
        "{chain: c, input: {n: {type: integer}}, steps: {a: {use: my.pause, with:"
        " {seconds: 0.001, v: '${input.n}'}}, b: {use: my.inline, with: {v: '${steps.a}'}}},"
        " output: '${steps.b}'}"
    )
    results = await asyncio.gather(*[driver.engine.run(plan, {"n": n}) for n in range(50)])
    assert [result.output for result in results] == list(range(1, 51))
    assert driver.engine.active() == ()


async def test_what_happens_is_told_as_facts(driver: Driver) -> None:
    facts: list[Fact] = []
    driver.engine.watch(facts.append)
    await driver.run("{chain: c, steps: {a: {use: my.echo}}}", run_id="r")
    kinds: tuple[Any, ...] = (RunStarted, StepEnded, RunEnded)
    told = [fact for fact in facts if isinstance(fact, kinds)]
    assert [type(fact) for fact in told] == [RunStarted, StepEnded, RunEnded]
    assert {fact.run for fact in told} == {"r"}
    await driver.run("{chain: c, steps: {a: {use: my.fail, with: {kind: timeout}}}}", run_id="s")
    [stalled] = [fact for fact in facts if isinstance(fact, RunStalled)]
    assert stalled.calls == ("a#1",)


async def test_a_final_result_stays_as_it_is(driver: Driver) -> None:
    plan = driver.plan(
        "{chain: c, steps: {a: {use: my.echo, with: {v: 1}}}, output: '${steps.a}'}"
    )
    run = await driver.engine.start(plan)
    first = await driver.engine.wait(run)
    with pytest.raises(ValueInvalid):
        await driver.engine.cancel(run)
    assert (first.status, first.output) == ("succeeded", 1)
    if driver.keeps:
        again = await driver.engine.wait(run)
        assert (again.status, again.output) == ("succeeded", 1)
