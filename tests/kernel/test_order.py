"""Which steps run, and when: needs, `after`, `when`, `join`, and what skips."""

from __future__ import annotations

import pytest
from tests.kernel.driving import BEGAN, LARGE, Driven, plan_of

from drawloom.errors import FailureKind, KernelMisuse
from drawloom.kernel import Evaluate, Finish, Run, Started

DIAMOND = """
chain: diamond
input: {n: {type: integer, default: 1}, deep: {type: boolean, default: true}}
steps:
  a: {use: t.read, with: {n: "${input.n}"}}
  b: {use: t.read, with: {n: "${steps.a.n}"}}
  c: {use: t.read, with: {n: "${steps.a.n}"}, when: input.deep}
  d: {use: t.read, with: {b: "${steps.b}"}, after: {c: finished}}
output: {b: "${steps.b}"}
"""


def test_what_needs_nothing_starts_at_once_and_the_rest_when_its_needs_are_met() -> None:
    run = Driven(DIAMOND)
    assert run.calls == ["a#1"]
    run.succeed("a#1", {"n": 7})
    assert run.calls == ["b#1", "c#1"]
    assert [command.args for command in run.commands] == [{"n": 7}, {"n": 7}]
    run.succeed("b#1", "B")
    assert run.calls == []
    run.succeed("c#1")
    assert run.calls == ["d#1"]
    assert run.succeed("d#1") == [Finish("succeeded", {"b": "B"})]


def test_a_false_condition_skips_the_step_and_what_needs_it() -> None:
    run = Driven(DIAMOND, input={"deep": False})
    run.succeed("a#1", {"n": 7})
    assert run.calls == ["b#1"]
    run.succeed("b#1", "B")
    assert run.statuses == {"a": "succeeded", "b": "succeeded", "c": "skipped", "d": "skipped"}
    assert run.finish == Finish("succeeded", {"b": "B"})


def test_join_any_runs_when_one_of_its_needs_was_met_and_skips_when_none_was() -> None:
    text = """
chain: any
input: {x: {type: boolean}, y: {type: boolean}}
steps:
  x: {use: t.read, when: input.x}
  y: {use: t.read, when: input.y}
  z: {use: t.read, after: [x, y], join: any}
"""
    one = Driven(text, input={"x": True, "y": False})
    one.succeed("x#1")
    assert one.calls == ["z#1"]
    none = Driven(text, input={"x": False, "y": False})
    assert none.status("z") == "skipped"
    assert none.finish is not None and none.finish.status == "succeeded"


def test_join_any_waits_for_all_to_end() -> None:
    run = Driven(
        "{chain: c, steps: {x: {use: t.read}, y: {use: t.read},"
        " z: {use: t.read, after: [x, y], join: any}}}"
    )
    run.succeed("x#1")
    assert run.calls == []
    run.succeed("y#1")
    assert run.calls == ["z#1"]


def test_a_condition_that_gives_no_truth_fails_the_step() -> None:
    run = Driven("{chain: c, steps: {a: {use: t.read, when: '1 + 1'}}}")
    assert run.failure("a").kind is FailureKind.INVALID
    assert "true or false" in run.failure("a").message


def test_an_unresolved_reference_names_its_place() -> None:
    run = Driven(DIAMOND)
    run.succeed("a#1", {"m": 1})
    assert run.finish is not None and run.finish.failure is not None
    assert run.finish.failure.kind is FailureKind.INVALID
    assert run.finish.failure.details == {"step": "b", "place": "b"}


def test_an_output_that_leads_nowhere_fails_the_run_once() -> None:
    run = Driven("{chain: c, steps: {a: {use: t.read}}, output: {o: '${steps.a.gone}'}}")
    [finish] = run.succeed("a#1", {})
    assert isinstance(finish, Finish) and finish.failure is not None
    assert finish.status == "failed"
    assert finish.failure.details == {"place": "output"}


def test_vars_can_be_read_by_an_expression() -> None:
    run = Driven(
        "{chain: c, vars: {rate: 2}, steps: {a: {use: t.read, with: {v: '${vars.rate * 21}'}}}}"
    )
    [call] = run.commands
    assert call.args == {"v": 42}  # type: ignore[union-attr]


def test_a_plan_is_shared_by_runs_that_do_not_know_each_other() -> None:
    plan = plan_of(DIAMOND)
    first, second = Run(plan, "r1"), Run(plan, "r2")
    first.receive(Started({"n": 1, "deep": True}, BEGAN))
    [call] = second.receive(Started({"n": 2, "deep": True}, BEGAN))
    assert call.args == {"n": 2}  # type: ignore[union-attr]
    assert first.scope["input"]["n"] == 1
    first.scope["vars"]["mine"] = True
    assert "mine" not in second.scope["vars"]


def test_a_run_is_started_once() -> None:
    run = Driven(DIAMOND)
    with pytest.raises(KernelMisuse, match="started twice"):
        run.feed(Started({}, BEGAN))


def test_what_is_too_large_for_the_loop_is_evaluated_elsewhere() -> None:
    run = Driven(
        f"""
chain: large
vars: {{three: 3}}
steps:
  a: {{use: t.read}}
  b:
    use: t.read
    when: "{LARGE} > vars.three"
    with: {{n: "${{{LARGE} + steps.a}}"}}
output: {{n: "${{{LARGE}}}"}}
"""
    )
    [ask] = run.succeed("a#1", 1)
    assert isinstance(ask, Evaluate)
    assert (ask.place, ask.kind, ask.scope) == ("b?when", "condition", {"vars": {"three": 3}})
    assert run.status("b") == "evaluating"
    [ask] = run.evaluated("b?when", True)
    assert isinstance(ask, Evaluate)
    assert (ask.place, ask.kind, ask.scope) == ("b?with", "template", {"steps": {"a": 1}})
    run.evaluated("b?with", {"n": 80201})
    assert run.calls == ["b#1"]
    run.succeed("b#1")
    assert run.asked == ["?output"]
    assert run.finish is None
    run.evaluated("?output", {"n": 80200})
    assert run.finish == Finish("succeeded", {"n": 80200})


def test_an_evaluation_that_fails_fails_its_step_and_of_the_output_the_run() -> None:
    text = (
        f"{{chain: c, steps: {{a: {{use: t.read, when: '{LARGE} > 0'}}}}, output: '${{{LARGE}}}'}}"
    )
    wrong = Driven("{chain: c, steps: {a: {use: t.read}}}").fail("a#1")[0].failure  # type: ignore[union-attr]
    step = Driven(text)
    step.evaluated("a?when", failure=wrong)
    assert step.status("a") == "failed"
    output = Driven(text)
    output.evaluated("a?when", True)
    output.succeed("a#1")
    [finish] = output.evaluated("?output", failure=wrong)
    assert isinstance(finish, Finish) and finish.status == "failed"
    assert finish.failure is not None and finish.failure.message.startswith("the chain's output")


def test_a_large_list_is_evaluated_elsewhere_too() -> None:
    run = Driven(
        "{chain: c, steps: {a: {use: t.read, for_each: '${$filter([1..400], function($x){$x<3})}',"
        " with: {i: '${item}'}}}}"
    )
    assert run.asked == ["a?for_each"]
    run.evaluated("a?for_each", [1, 2])
    assert run.calls == ["a[0]#1", "a[1]#1"]
