"""Failures, error routes, clean-up and cancellation."""

from __future__ import annotations

import pytest
from tests.kernel.driving import LARGE, Driven

from drawloom.errors import FailureKind
from drawloom.kernel import AwaitResolution, Finish

TWO = (
    "{{chain: c, steps: {{a: {{use: t.{a}}}, b: {{use: t.{b}}}, c: {{use: t.read, after: [b]}}}}}}"
)


def test_a_failure_stops_the_other_branches() -> None:
    run = Driven(TWO.format(a="read", b="read"))
    run.fail("a#1", FailureKind.DENIED)
    assert run.cut == ["b#1"]
    assert run.statuses == {"a": "failed", "b": "cancelled", "c": "cancelled"}
    assert run.finish is not None and run.finish.failure is not None
    assert run.finish.status == "failed"
    assert run.finish.failure.message == "a: it is denied"


def test_a_failure_waits_for_once_calls_under_way() -> None:
    run = Driven(TWO.format(a="read", b="once"))
    assert run.fail("a#1") == []
    run.succeed("b#1", "done")
    assert run.statuses == {"a": "failed", "b": "succeeded", "c": "cancelled"}
    assert run.run.scope["steps"] == {"b": "done"}


def test_a_once_call_that_gets_lost_while_the_run_stops_asks_nobody() -> None:
    run = Driven(TWO.format(a="read", b="once"))
    run.fail("a#1")
    run.fail("b#1", FailureKind.LOST)
    assert run.statuses["b"] == "unknown"
    assert run.finish is not None and run.finish.status == "failed"


def test_a_failure_gives_up_what_waits_for_a_person() -> None:
    run = Driven(TWO.format(a="read", b="once"))
    run.fail("b#1", FailureKind.TIMEOUT)
    run.fail("a#1")
    assert run.statuses["b"] == "unknown"
    assert run.finish is not None
    assert run.resolve("b#1", "succeeded") == []


def test_an_error_route_handles_the_failure() -> None:
    text = """
chain: routes
steps:
  a: {use: t.read}
  good: {use: t.read, after: {a: succeeded}}
  bad: {use: t.read, with: {why: "${failures.a.kind}"}, after: {a: failed}}
output: {why: "${failures.a.message ?? 'none'}"}
"""
    wrong = Driven(text)
    wrong.fail("a#1", FailureKind.MISSING)
    assert wrong.commands[0].args == {"why": "missing"}  # type: ignore[union-attr]
    wrong.succeed("bad#1")
    assert wrong.finish == Finish("succeeded", {"why": "it is missing"})
    assert wrong.status("good") == "skipped"
    right = Driven(text)
    right.succeed("a#1")
    assert right.calls == ["good#1"]
    assert right.status("bad") == "skipped"


def test_on_error_continue_lets_the_run_go_on_without_the_step() -> None:
    run = Driven(
        "{chain: c, steps: {a: {use: t.read, on_error: continue}, b: {use: t.read},"
        " c: {use: t.read, after: [a]}}}"
    )
    run.fail("a#1")
    assert run.statuses == {"a": "failed", "b": "running", "c": "skipped"}
    run.succeed("b#1")
    assert run.finish is not None and run.finish.status == "succeeded"


CLEANUP = """
chain: cleanup
steps:
  make: {use: t.read}
  work: {use: t.read, after: [make]}
  tidy: {use: t.read, after: {work: finished}}
  report: {use: t.read, after: [tidy]}
"""


def test_clean_up_runs_after_a_failure_and_so_does_what_follows_it() -> None:
    run = Driven(CLEANUP)
    run.succeed("make#1")
    run.fail("work#1")
    assert run.calls == ["tidy#1"]
    run.succeed("tidy#1")
    assert run.calls == ["report#1"]
    run.succeed("report#1")
    assert run.finish is not None and run.finish.status == "failed"


def test_clean_up_runs_after_a_cancel() -> None:
    run = Driven(CLEANUP)
    run.cancel()
    assert (run.cut, run.calls) == (["make#1"], ["tidy#1"])
    run.succeed("tidy#1")
    run.succeed("report#1")
    assert run.finish is not None and run.finish.status == "cancelled"


def test_clean_up_is_skipped_where_there_is_nothing_to_clean() -> None:
    run = Driven(
        "{chain: c, steps: {a: {use: t.read, when: 'false'}, b: {use: t.read, after: {a: finished}}}}"
    )
    assert run.statuses == {"a": "skipped", "b": "skipped"}


def test_a_failing_clean_up_step_does_not_stop_another_after_a_cancel() -> None:
    run = Driven(
        "{chain: c, steps: {a: {use: t.read}, x: {use: t.read, after: {a: finished}},"
        " y: {use: t.read, after: {a: finished}}}}"
    )
    run.cancel("by hand")
    run.fail("x#1")
    assert run.cut == []
    run.succeed("y#1")
    assert run.statuses == {"a": "cancelled", "x": "failed", "y": "succeeded"}
    assert run.finish is not None and run.finish.failure is not None
    assert run.finish.failure.message == "cancelled: by hand"
    assert run.finish.failure.details is not None
    assert run.finish.failure.details["failure"]["message"] == "x: it is invalid"


def test_a_second_cancel_stops_the_clean_up_that_is_under_way() -> None:
    run = Driven(CLEANUP)
    run.cancel("first")
    run.cancel("second")
    assert run.cut == ["tidy#1"]
    assert run.finish is None or run.finish.status == "cancelled"
    assert run.run.cancelled == "first"


def test_an_unknown_clean_up_step_asks_and_a_cancel_gives_it_up() -> None:
    run = Driven("{chain: c, steps: {a: {use: t.read}, b: {use: t.once, after: {a: finished}}}}")
    run.cancel()
    assert run.fail("b#1", FailureKind.LOST) == [AwaitResolution(("b#1",))]
    run.cancel()
    assert run.statuses["b"] == "unknown"
    assert run.finish is not None


@pytest.mark.parametrize(
    ("effect", "status"), [("read", "cancelled"), ("keyed", "cancelled"), ("once", "unknown")]
)
def test_cancel_stops_a_call_under_way(effect: str, status: str) -> None:
    run = Driven(
        f"{{chain: c, steps: {{a: {{use: t.{effect}}}, b: {{use: t.read, after: [a]}}}}}}"
    )
    run.cancel("enough")
    assert run.cut == ["a#1"]
    assert run.statuses == {"a": status, "b": "cancelled"}
    assert run.finish is not None and run.finish.failure is not None
    assert run.finish.failure.message == "cancelled: enough"
    assert run.succeed("a#1") == []
    assert run.statuses["a"] == status


def test_cancel_ends_a_rest_and_its_timer_changes_nothing() -> None:
    run = Driven("{chain: c, steps: {a: {use: t.read, retry: {}}}}")
    run.fail("a#1", FailureKind.THROTTLED)
    run.cancel()
    assert run.statuses == {"a": "cancelled"}
    assert run.wake("a#1") == []


def test_cancel_ends_an_evaluation() -> None:
    run = Driven(f"{{chain: c, steps: {{a: {{use: t.read, when: '{LARGE} > 0'}}}}}}")
    assert run.asked == ["a?when"]
    run.cancel()
    assert run.statuses == {"a": "cancelled"}
    assert run.evaluated("a?when", True) == []


def test_cancel_while_the_output_is_evaluated() -> None:
    run = Driven(f"{{chain: c, steps: {{a: {{use: t.read}}}}, output: '${{{LARGE}}}'}}")
    run.succeed("a#1")
    [finish] = run.cancel()
    assert isinstance(finish, Finish) and finish.status == "cancelled"
    assert run.evaluated("?output", 1) == []


def test_what_is_final_never_changes() -> None:
    run = Driven("{chain: c, steps: {a: {use: t.once}}}")
    run.succeed("a#1", 1)
    finished = run.finish
    for late in (run.cancel(), run.fail("a#1", FailureKind.LOST), run.resolve("a#1", "again")):
        assert late == []
    assert run.finish is finished
    assert run.statuses == {"a": "succeeded"}
