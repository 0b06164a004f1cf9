"""Trying again: when, how often, and what the effect table says."""

from __future__ import annotations

import pytest
from tests.kernel.driving import SECOND, Driven

from drawloom.errors import FailureKind
from drawloom.kernel import AwaitResolution
from drawloom.policies import LOSSES_AT_MOST


def chain(tool: str = "read", retry: str = "{}") -> str:
    return f"{{chain: c, steps: {{a: {{use: t.{tool}, retry: {retry}}}}}}}"


EXACT = "{attempts: 4, delay: 1, factor: 2, jitter: 0}"


def rest(run: Driven, call: str, **more: object) -> float:
    """Seconds until the next attempt."""
    run.fail(call, more.pop("kind", FailureKind.THROTTLED), **more)  # type: ignore[arg-type]
    return (run.timer.due - run.at) / SECOND


def test_delays_grow_until_the_attempts_are_used_up() -> None:
    run = Driven(chain(retry=EXACT))
    for attempt, delay in ((1, 1.0), (2, 2.0), (3, 4.0)):
        assert rest(run, f"a#{attempt}") == delay
        assert run.status("a") == "resting"
        run.wake(f"a#{attempt}")
        assert run.calls == [f"a#{attempt + 1}"]
        assert run.commands[0].attempt == attempt + 1  # type: ignore[union-attr]
    run.fail("a#4", FailureKind.THROTTLED)
    assert run.status("a") == "failed"


def test_a_delay_is_never_longer_than_the_longest() -> None:
    run = Driven(chain(retry="{attempts: 9, delay: 4, factor: 10, max_delay: 5, jitter: 0}"))
    assert rest(run, "a#1") == 4.0
    run.wake("a#1")
    assert rest(run, "a#2") == 5.0


def test_the_service_may_ask_for_a_longer_delay() -> None:
    assert rest(Driven(chain(retry=EXACT)), "a#1", retry_after=9.5) == 9.5
    assert rest(Driven(chain(retry=EXACT)), "a#1", retry_after=0.1) == 1.0


def test_jitter_differs_between_runs_and_is_the_same_at_replay() -> None:
    text = chain(retry="{delay: 10, jitter: 1}")
    delays = [rest(Driven(text, run_id=run), "a#1") for run in ("r1", "r2", "r3", "r1")]
    assert delays[0] == delays[3]
    assert len(set(delays)) == 3
    assert all(0 <= delay <= 10 for delay in delays)


def test_a_budget_bounds_the_time_to_the_last_attempt() -> None:
    run = Driven(chain(retry="{attempts: 9, delay: 4, factor: 1, jitter: 0, budget: 10}"))
    assert rest(run, "a#1") == 4.0
    run.at += 7 * SECOND
    run.wake("a#1")
    run.fail("a#2", FailureKind.THROTTLED)
    assert run.status("a") == "failed"


def test_only_the_kinds_that_are_named_are_retried() -> None:
    run = Driven(chain(retry="{on: [missing], delay: 1}"))
    run.fail("a#1", FailureKind.THROTTLED)
    assert run.status("a") == "failed"
    assert rest(Driven(chain(retry="{on: [missing], jitter: 0}")), "a#1", kind=FailureKind.MISSING)


@pytest.mark.parametrize("kind", FailureKind)
@pytest.mark.parametrize("effect", ["pure", "read", "idempotent", "keyed", "once"])
def test_the_effect_table(effect: str, kind: FailureKind) -> None:
    run = Driven(chain(effect))
    run.fail("a#1", kind)
    uncertain = kind in ("timeout", "transient", "lost")
    if effect == "once" and uncertain:
        wanted = "unknown"
    elif kind is FailureKind.LOST:
        wanted = "running"
    else:
        wanted = "resting" if uncertain or kind is FailureKind.THROTTLED else "failed"
    assert run.status("a") == wanted


def test_a_once_call_that_proves_to_have_done_nothing_is_tried_again() -> None:
    run = Driven(chain("once", EXACT))
    assert rest(run, "a#1", kind=FailureKind.TRANSIENT, harmless=True) == 1.0


def test_a_lost_call_is_made_again_at_once_and_uses_up_no_attempt() -> None:
    run = Driven(chain(retry="{attempts: 1}"))
    for attempt in range(1, LOSSES_AT_MOST + 1):
        run.fail(f"a#{attempt}", FailureKind.LOST)
        assert run.calls == [f"a#{attempt + 1}"]
    run.fail(f"a#{LOSSES_AT_MOST + 1}", FailureKind.LOST)
    assert run.status("a") == "failed"


def test_a_lost_call_leaves_the_attempts_to_the_tool() -> None:
    run = Driven(chain(retry="{attempts: 2, delay: 1, jitter: 0}"))
    run.fail("a#1", FailureKind.LOST)
    assert rest(run, "a#2") == 1.0
    run.wake("a#2")
    run.fail("a#3", FailureKind.THROTTLED)
    assert run.status("a") == "failed"


def test_an_unknown_outcome_waits_for_a_person() -> None:
    run = Driven(chain("once"))
    assert run.fail("a#1", FailureKind.TIMEOUT) == [AwaitResolution(("a#1",))]
    assert run.run.unknown_calls == ("a#1",)
    assert run.finish is None


def test_a_person_says_that_it_succeeded_failed_or_is_to_be_made_again() -> None:
    done, bad, again = (Driven(chain("once")) for _ in range(3))
    for run in (done, bad, again):
        run.fail("a#1", FailureKind.LOST)
    done.resolve("a#1", "succeeded", 42)
    assert done.run.scope["steps"] == {"a": 42}
    bad.resolve("a#1", "failed")
    assert bad.failure("a").details == {"resolved": True}
    again.resolve("a#1", "again")
    assert again.calls == ["a#2"]
    again.succeed("a#2", 1)
    assert [run.finish.status for run in (done, bad, again) if run.finish] == [
        "succeeded", "failed", "succeeded",
    ]  # fmt: skip


def test_only_what_is_still_unknown_is_asked_for() -> None:
    run = Driven("{chain: c, steps: {a: {use: t.once}, b: {use: t.once}}}")
    run.fail("a#1", FailureKind.LOST)
    assert run.commands == []
    assert run.fail("b#1", FailureKind.LOST) == [AwaitResolution(("a#1", "b#1"))]
    assert run.resolve("a#1", "succeeded") == [AwaitResolution(("b#1",))]


@pytest.mark.parametrize("late", ["succeed", "fail", "wake"])
def test_answers_to_calls_that_are_not_current_change_nothing(late: str) -> None:
    run = Driven(chain(retry=EXACT))
    rest(run, "a#1")
    if late != "wake":
        assert getattr(run, late)("a#1") == []
        assert run.status("a") == "resting"
    run.wake("a#1")
    assert getattr(run, late)("a#1") == []
    assert getattr(run, late)("nobody#7") == []
    assert run.status("a") == "running"
    assert run.resolve("a#2", "failed") == []
    assert run.evaluated("a?with", {}) == []
