"""Retries are bounded by what was asked first, in every window."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drawloom.policies.retry_budget import BudgetRule, RetryBudget

events = st.lists(st.tuples(st.floats(0, 2), st.booleans()), max_size=200)


@given(st.sampled_from([0.0, 0.2, 1.0]), st.integers(0, 3), events)
def test_retries_never_exceed_their_share(
    ratio: float, reserve: int, history: list[tuple[float, bool]]
) -> None:
    budget = RetryBudget(BudgetRule(ratio, reserve, window=10.0))
    now, firsts, retries = 0.0, list[float](), list[float]()
    for pause, is_retry in history:
        now += pause
        if not is_retry:
            budget.first(now)
            firsts.append(now)
            continue
        wait = budget.retry(now)
        since = (now // 1.0) - 9  # ten slots of a second, the current one included
        asked = sum(at >= since for at in firsts)
        tried = sum(at >= since for at in retries)
        assert (wait == 0) == (tried + 1 <= ratio * asked + reserve)
        if not wait:
            retries.append(now)


def test_an_outage_at_most_doubles_the_load() -> None:
    budget = RetryBudget(BudgetRule(1.0, reserve=0))
    sent = 0
    for n in range(1_000):
        now = n / 100
        budget.first(now)
        sent += 1
        sent += sum(not budget.retry(now) for _ in range(4))  # each would be tried four times
    assert sent == 2_000


def test_a_service_that_is_seldom_called_is_tried_again() -> None:
    budget = RetryBudget(BudgetRule(1.0, reserve=3))
    budget.first(0.0)
    assert [budget.retry(0.0) > 0 for _ in range(5)] == [False] * 4 + [True]
    assert budget.retry(20.0) == 0
