"""Retries for any policy, failure and history."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawloom.errors import Failure, FailureKind
from drawloom.policies import LOSSES_AT_MOST, RETRYABLE, Effect, Retry, outcome_unknown

kinds = st.sampled_from(list(FailureKind))
effects = st.sampled_from(list(Effect))
waits = st.none() | st.floats(0, 1e4)
failures = st.builds(Failure, kinds, st.just("x"), waits, st.none(), st.booleans())
retries = st.builds(
    Retry,
    attempts=st.integers(1, 10),
    delay=st.floats(0, 100),
    factor=st.floats(1, 100),
    max_delay=st.floats(0, 1_000),
    jitter=st.floats(0, 1),
    budget=st.none() | st.floats(0, 10_000),
    on=st.frozensets(kinds),
)
histories = st.fixed_dictionaries(
    {
        "effect": effects,
        "attempt": st.integers(1, 20),
        "losses": st.integers(0, 5),
        "elapsed": st.floats(0, 1e5),
        "seed": st.text(max_size=20),
    }
)


@given(retries, failures, histories)
def test_an_outcome_that_nobody_can_know_is_never_retried(
    retry: Retry, failure: Failure, history: dict[str, Any]
) -> None:
    if outcome_unknown(history["effect"], failure):
        assert retry.next_delay(failure, **history) is None


@given(retries, failures, histories)
def test_a_delay_is_within_what_was_agreed(
    retry: Retry, failure: Failure, history: dict[str, Any]
) -> None:
    delay = retry.next_delay(failure, **history)
    if delay is None or failure.kind is FailureKind.LOST:
        return
    assert failure.kind in retry.on
    assert history["attempt"] - history["losses"] < retry.attempts
    assert max(0.0, failure.retry_after or 0.0) <= delay
    assert delay <= max(retry.max_delay, failure.retry_after or 0.0)
    if retry.budget is not None:
        assert history["elapsed"] + delay <= retry.budget


@given(retries, failures, histories)
def test_the_same_question_has_the_same_answer(
    retry: Retry, failure: Failure, history: dict[str, Any]
) -> None:
    assert retry.next_delay(failure, **history) == retry.next_delay(failure, **history)


@given(retries, st.integers(1, 20), st.integers(1, 10))
def test_a_lost_call_that_may_be_repeated_is_made_again_at_once(
    retry: Retry, attempt: int, losses: int
) -> None:
    lost = Failure(FailureKind.LOST, "x")
    delay = retry.next_delay(
        lost, effect=Effect.KEYED, attempt=attempt, losses=losses, elapsed=1e9, seed=""
    )
    assert delay == (0.0 if losses <= LOSSES_AT_MOST else None)


@given(st.integers(1, 10_000))
def test_no_number_of_attempts_overflows(attempt: int) -> None:
    retry = Retry(attempts=20_000, delay=1.0, factor=100.0, jitter=0)
    failure = Failure(FailureKind.THROTTLED, "x")
    history = {"effect": Effect.READ, "losses": 0, "elapsed": 0.0, "seed": ""}
    delay = retry.next_delay(failure, attempt=attempt, **history)  # type: ignore[arg-type]
    assert delay == (1.0 if attempt == 1 else 60.0)


def test_full_jitter_spreads_over_the_whole_delay() -> None:
    retry = Retry(delay=10, jitter=1)
    failure = Failure(FailureKind.THROTTLED, "x")
    delays = [
        retry.next_delay(
            failure, effect=Effect.READ, attempt=1, losses=0, elapsed=0, seed=f"run-{n}/a"
        )
        for n in range(1_000)
    ]
    tenths = [sum(n <= (delay or 0) < n + 1 for delay in delays) for n in range(10)]
    assert min(tenths) > 50


@pytest.mark.parametrize("effect", Effect)
@pytest.mark.parametrize("kind", FailureKind)
def test_the_table_of_unknown_outcomes(effect: Effect, kind: FailureKind) -> None:
    uncertain = kind in {FailureKind.TIMEOUT, FailureKind.LOST, FailureKind.TRANSIENT}
    assert outcome_unknown(effect, Failure(kind, "x")) == (effect is Effect.ONCE and uncertain)
    assert not outcome_unknown(effect, Failure(kind, "x", harmless=True))


def test_the_table_of_effects() -> None:
    assert {effect for effect in Effect if not effect.repeatable} == {Effect.ONCE}
    assert {effect for effect in Effect if effect.looks_only} == {Effect.PURE, Effect.READ}
    assert {FailureKind.THROTTLED, FailureKind.TRANSIENT} < RETRYABLE
    assert not RETRYABLE & {FailureKind.INVALID, FailureKind.DENIED, FailureKind.DEFECT}
