"""No second in which more goes than was agreed, whoever says so; and fair turns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawloom.policies.rate_limit import LONGEST_TOLD, Rate, RateLimit, RateRule

gaps = st.lists(st.floats(0, 3), min_size=1, max_size=80)


@given(st.sampled_from([0.5, 1.0, 4.0, 50.0]), st.integers(1, 5), gaps)
def test_no_window_holds_more_than_the_burst_and_the_rate(
    per_second: float, burst: int, pauses: list[float]
) -> None:
    rate, now, went = Rate(RateRule(per_second, burst)), 0.0, list[float]()
    for pause in pauses:
        now += pause
        if not rate.take(now):
            went.append(now)
    for first, begin in enumerate(went):
        for count, end in enumerate(went[first:], 1):
            assert count <= burst + (end - begin) * per_second + 1e-6


@given(st.sampled_from([0.5, 1.0, 4.0, 50.0]), st.integers(1, 5), gaps)
def test_the_wait_that_is_told_is_enough_and_not_too_long(
    per_second: float, burst: int, pauses: list[float]
) -> None:
    rate, now = Rate(RateRule(per_second, burst)), 0.0
    for pause in pauses:
        now += pause
        if wait := rate.take(now):
            assert rate.wait(now + wait * 0.9) > 0
            now += wait
            assert rate.take(now) < 1e-6


def test_a_burst_goes_at_once() -> None:
    rate = Rate(RateRule(1.0, 3))
    assert [rate.take(100.0) for _ in range(3)] == [0, 0, 0]
    assert rate.take(100.0) == pytest.approx(1.0)


def test_the_longest_retry_after_counts() -> None:
    rate = Rate(RateRule())
    rate.stop(10.0, 5.0)
    rate.stop(10.0, 2.0)
    assert rate.take(12.0) == pytest.approx(3.0)
    assert rate.take(15.0) == 0
    rate.stop(15.0, 1e9)
    assert rate.take(15.0) == LONGEST_TOLD


def test_an_announced_quota_is_not_overdrawn() -> None:
    rate = Rate(RateRule())
    rate.quota(0.0, remaining=3, reset=60.0)
    assert [rate.take(1.0) for _ in range(3)] == [0, 0, 0]
    assert rate.take(1.0) == pytest.approx(59.0)
    assert rate.take(60.0) == 0


def test_an_answer_that_was_overtaken_does_not_give_quota_back() -> None:
    rate = Rate(RateRule())
    rate.quota(0.0, remaining=1, reset=60.0)
    rate.quota(0.5, remaining=9, reset=59.5)
    assert rate.take(1.0) == 0
    assert rate.take(1.0) > 0


def test_a_new_quota_counts_as_told() -> None:
    rate = Rate(RateRule())
    rate.quota(0.0, remaining=0, reset=60.0)
    rate.quota(30.0, remaining=2, reset=60.0)
    assert [rate.take(31.0) for _ in range(2)] == [0, 0]
    assert rate.take(31.0) == pytest.approx(59.0)


def test_chains_that_wait_take_turns() -> None:
    limit: RateLimit[str] = RateLimit(RateRule(1.0), queue=100)
    assert limit.enter("first", 0.0) == "go"
    for n in range(4):
        assert limit.enter(f"big{n}", 0.0, group="big") == "wait"
    assert limit.enter("small", 0.0, group="small") == "wait"
    went: list[str] = []
    now = 0.0
    while (answer := limit.due(now))[1] is not None:
        went += answer[0]
        now += answer[1]
    went += answer[0]
    assert went == ["big0", "small", "big1", "big2", "big3"]


def test_nobody_overtakes_who_waits_and_the_queue_has_an_end() -> None:
    limit: RateLimit[str] = RateLimit(RateRule(1.0), queue=1)
    assert limit.enter("a", 0.0) == "go"
    assert limit.enter("b", 0.0) == "wait"
    assert limit.enter("c", 5.0) == "full"
    assert limit.withdraw("b")
    assert not limit.withdraw("b")
    assert limit.enter("c", 5.0) == "go"
