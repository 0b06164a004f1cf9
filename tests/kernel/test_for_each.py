"""`for_each`: the window, the order, what fails and what skips."""

from __future__ import annotations

import sys
from collections import deque

import pytest
from tests.kernel.driving import BEGAN, Driven, plan_of

from drawloom.errors import FailureKind
from drawloom.kernel import AwaitResolution, CallSucceeded, CallTool, Run, Started


def chain(more: str = "", tool: str = "read", n: int = 5) -> str:
    return f"""
chain: each
steps:
  a: {{use: t.{tool}, for_each: "${{[1..{n}]}}", with: {{v: "${{item}}", at: "${{index}}"}} {more}}}
output: {{all: "${{steps.a}}"}}
"""


def test_as_many_items_as_allowed_go_at_once_and_their_results_keep_their_order() -> None:
    run = Driven(chain(", concurrency: 2"))
    assert run.calls == ["a[0]#1", "a[1]#1"]
    assert run.commands[1].args == {"v": 2, "at": 1}  # type: ignore[union-attr]
    run.succeed("a[1]#1", "B")
    assert run.calls == ["a[2]#1"]
    for call in ("a[2]#1", "a[3]#1", "a[4]#1", "a[0]#1"):
        assert run.finish is None
        run.succeed(call, call[2])
    assert run.finish is not None
    assert run.finish.output == {"all": ["0", "B", "2", "3", "4"]}


def test_an_empty_list_succeeds_with_an_empty_list() -> None:
    run = Driven("{chain: c, steps: {a: {use: t.read, for_each: []}}, output: '${steps.a}'}")
    assert run.finish is not None
    assert (run.status("a"), run.finish.output) == ("succeeded", [])


def test_what_is_no_list_is_refused() -> None:
    run = Driven("{chain: c, vars: {x: {}}, steps: {a: {use: t.read, for_each: '${vars.x}'}}}")
    assert "wants a list" in run.failure("a").message


def test_a_condition_on_the_item_skips_that_item_alone() -> None:
    run = Driven(chain(", when: 'item > 3'"))
    assert run.calls == ["a[3]#1", "a[4]#1"]
    run.succeed("a[4]#1", "E")
    run.succeed("a[3]#1", "D")
    assert run.finish is not None
    assert run.finish.output == {"all": ["D", "E"]}


def test_a_failed_item_fails_the_step_and_stops_the_others() -> None:
    run = Driven(chain(", concurrency: 2"))
    run.fail("a[0]#1")
    assert run.cut == ["a[1]#1"]
    assert run.calls == []
    assert run.status("a") == "failed"
    assert run.failure("a").message == "item 0: it is invalid"
    assert run.failure("a").details == {"item": 0}


def test_a_failed_item_lets_once_calls_under_way_tell_how_they_ended() -> None:
    run = Driven(chain(", concurrency: 2", tool="once"))
    run.fail("a[0]#1")
    assert run.commands == []
    assert run.status("a") == "running"
    run.succeed("a[1]#1")
    assert run.calls == []
    assert run.status("a") == "failed"


def test_on_error_continue_gathers_failures_in_the_order_of_the_items() -> None:
    run = Driven(chain(", on_error: continue", n=3))
    run.fail("a[2]#1", FailureKind.DENIED)
    run.fail("a[0]#1", FailureKind.MISSING)
    run.succeed("a[1]#1", "B")
    assert run.status("a") == "succeeded"
    assert run.run.scope["failures"]["a"] == [
        {"index": 0, "kind": "missing", "message": "it is missing"},
        {"index": 2, "kind": "denied", "message": "it is denied"},
    ]
    assert run.finish is not None and run.finish.output == {"all": ["B"]}


def test_an_unknown_item_lets_the_others_go_on_and_then_asks() -> None:
    run = Driven(chain(", concurrency: 1", tool="once", n=2))
    run.fail("a[0]#1", FailureKind.TIMEOUT)
    assert run.calls == ["a[1]#1"]
    assert run.succeed("a[1]#1", "B") == [AwaitResolution(("a[0]#1",))]
    run.resolve("a[0]#1", "succeeded", "A")
    assert run.finish is not None and run.finish.output == {"all": ["A", "B"]}


def test_an_item_called_again_waits_for_room_in_the_window() -> None:
    run = Driven(chain(", concurrency: 1", tool="once", n=2))
    run.fail("a[0]#1", FailureKind.LOST)
    assert run.calls == ["a[1]#1"]
    assert run.resolve("a[0]#1", "again") == []
    run.succeed("a[1]#1", "B")
    assert run.calls == ["a[0]#2"]
    run.succeed("a[0]#2", "A")
    assert run.finish is not None and run.finish.output == {"all": ["A", "B"]}


def test_an_item_that_a_person_calls_failed_fails_the_step() -> None:
    run = Driven(chain(tool="once", n=1))
    run.fail("a[0]#1", FailureKind.TRANSIENT)
    run.resolve("a[0]#1", "failed")
    assert run.status("a") == "failed"


def test_a_cancelled_run_cuts_its_items() -> None:
    run = Driven(chain(", concurrency: 2"))
    run.cancel()
    assert run.cut == ["a[0]#1", "a[1]#1"]
    assert run.status("a") == "cancelled"
    once = Driven(chain(", concurrency: 2", tool="once"))
    once.cancel()
    assert once.status("a") == "unknown"
    assert once.finish is not None and once.finish.status == "cancelled"


def test_an_item_rests_and_is_tried_again() -> None:
    run = Driven(chain(", retry: {attempts: 2, delay: 1}", n=1))
    run.fail("a[0]#1", FailureKind.THROTTLED)
    assert run.timer.call == "a[0]#1"
    run.wake("a[0]#1")
    assert run.calls == ["a[0]#2"]


def test_all_items_that_succeed_while_the_run_stops_make_the_step_succeed() -> None:
    run = Driven(
        "{chain: c, steps: {a: {use: t.once, for_each: [1], with: {v: '${item}'}}, b: {use: t.read}}}"
    )
    run.fail("b#1")
    assert run.finish is None
    run.succeed("a[0]#1", 1)
    assert run.statuses == {"a": "succeeded", "b": "failed"}


def test_the_failure_of_the_last_item_is_kept_while_the_run_stops() -> None:
    run = Driven(
        "{chain: c, steps: {a: {use: t.once, for_each: [1], with: {v: '${item}'}}, b: {use: t.read}}}"
    )
    run.fail("b#1")
    run.fail("a[0]#1")
    assert run.statuses == {"a": "failed", "b": "failed"}


def test_an_item_of_a_clean_up_step_that_fails_in_a_cancelled_run_lets_the_others_end() -> None:
    run = Driven(
        "{chain: c, steps: {a: {use: t.read},"
        " b: {use: t.once, for_each: [1, 2], with: {v: '${item}'}, after: {a: finished}}}}"
    )
    run.cancel()
    assert run.calls == ["b[0]#1", "b[1]#1"]
    run.fail("b[0]#1")
    assert run.commands == []
    run.succeed("b[1]#1")
    assert run.statuses == {"a": "cancelled", "b": "failed"}


def work(n: int) -> int:
    """Lines of kernel code that *n* items take which answer at once."""
    plan = plan_of(chain(", concurrency: 1000", n=n))
    run, count = Run(plan, "r1"), 0

    def line(frame, event, arg):  # type: ignore[no-untyped-def]
        nonlocal count
        if "drawloom/kernel" not in frame.f_code.co_filename:
            return None
        count += event == "line"
        return line

    before = sys.gettrace()
    sys.settrace(line)
    try:
        todo = deque(run.receive(Started({}, BEGAN)))
        while todo:
            command = todo.popleft()
            if isinstance(command, CallTool):
                todo.extend(run.receive(CallSucceeded(command.call, command.item, BEGAN)))
    finally:
        sys.settrace(before)
    assert run.finished is not None
    assert run.finished.output == {"all": list(range(n))}
    return count


def test_ten_thousand_items_that_answer_at_once_take_linear_work_and_no_stack() -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(200)
    try:
        small, large = work(1_000), work(10_000)
    finally:
        sys.setrecursionlimit(limit)
    assert large == pytest.approx(10 * small, rel=0.02)


def test_ten_thousand_items_that_are_skipped_take_no_stack() -> None:
    run = Driven(chain(", when: 'item > 10000'", n=10_000))
    assert run.finish is not None and run.finish.output == {"all": []}
