"""The breaker against a model that keeps every outcome, for any history of calls."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from drawloom.errors import Failure, FailureKind
from drawloom.policies.circuit_breaker import BreakerRule, CircuitBreaker, speaks_of_health

RULE = BreakerRule(0.5, minimum_calls=4, calls=8, window=10, open_for=5, open_at_most=20, probes=2)


class Calls(RuleBasedStateMachine):
    """Calls begin and end in any order, at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = CircuitBreaker(RULE)
        self.now = 0.0
        self.under_way: list[int] = []
        self.outcomes: list[tuple[float, bool]] = []
        self.opened: float | None = None
        self.pause = 0.0
        self.probes = 0  # let in since half-open
        self.good = 0

    @rule(seconds=st.floats(0, 12))
    def time_goes_by(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def enter(self) -> None:
        told = self.breaker.refusal(self.now)
        wait = self.breaker.enter(self.now)
        assert wait == told
        if self.opened is not None and self.now < self.opened + self.pause:
            assert wait == pytest.approx(self.opened + self.pause - self.now)
            return
        if self.opened is not None and self.probes >= RULE.probes:
            assert wait == RULE.open_for
            return
        assert wait == 0
        self.probes += self.opened is not None
        self.under_way.append(self.breaker.epoch)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), well=st.sampled_from([True, False, False, None]))
    def leave(self, data: st.DataObject, well: bool | None) -> None:
        epoch = self.under_way.pop(data.draw(st.integers(0, len(self.under_way) - 1)))
        before = self.breaker.state
        current = epoch == self.breaker.epoch
        changed = self.breaker.leave(epoch, well, self.now)
        assert changed == (self.breaker.state != before)
        if not current:
            assert not changed
        elif before == "half-open":
            self.probe_ended(well)
        elif well is not None:
            self.call_ended(well)

    def probe_ended(self, well: bool | None) -> None:
        if well is None:
            self.probes -= 1
        elif not well:
            self.pause = min(self.pause * 2, RULE.open_at_most)
            self.opened, self.probes, self.good = self.now, 0, 0
            assert self.breaker.state == "open"
        else:
            self.good += 1
            if self.good == RULE.probes:
                self.opened, self.probes, self.good, self.outcomes = None, 0, 0, []
                assert self.breaker.state == "closed"

    def call_ended(self, well: bool) -> None:
        self.outcomes.append((self.now, well))
        recent = [w for at, w in self.outcomes[-RULE.calls :] if at >= self.now - RULE.window]
        failed = recent.count(False)
        if not well and len(recent) >= 4 and failed * 2 >= len(recent):
            self.opened, self.pause, self.probes, self.good = self.now, RULE.open_for, 0, 0
            self.outcomes = []
            assert self.breaker.state == "open"
        else:
            assert self.breaker.state == "closed"

    @invariant()
    def it_is_open_when_the_model_is(self) -> None:
        assert (self.breaker.state == "closed") == (self.opened is None)


TestCalls = Calls.TestCase


@pytest.mark.parametrize("kind", FailureKind)
def test_only_what_speaks_of_the_service_counts(kind: FailureKind) -> None:
    expected = {
        FailureKind.TRANSIENT: False,
        FailureKind.TIMEOUT: False,
        FailureKind.THROTTLED: None,
        FailureKind.LOST: None,
        FailureKind.DEFECT: None,
    }.get(kind, True)
    assert speaks_of_health(Failure(kind, "x")) is expected
    harmless = expected if expected is False else None
    assert speaks_of_health(Failure(kind, "x", harmless=True)) is harmless
    assert speaks_of_health(None) is True


def test_a_long_outage_is_asked_about_less_and_less_often() -> None:
    breaker = CircuitBreaker(RULE)
    for _ in range(4):
        breaker.leave(breaker.epoch, False, 0.0)
    now, pauses = 0.0, []
    for _ in range(4):
        pauses.append(breaker.enter(now))
        now = breaker.until
        assert breaker.enter(now) == 0
        breaker.leave(breaker.epoch, False, now)
    assert pauses == [5, 10, 20, 20]


def test_an_answer_from_before_it_opened_closes_nothing() -> None:
    breaker = CircuitBreaker(RULE)
    old = breaker.epoch
    for _ in range(4):
        breaker.leave(old, False, 0.0)
    assert breaker.enter(5.0) == 0
    for _ in range(10):
        assert not breaker.leave(old, True, 5.0)
    assert breaker.state == "half-open"


def test_one_that_is_found_well_lets_calls_try_it_before_its_time() -> None:
    breaker = CircuitBreaker(BreakerRule(minimum_calls=1, open_for=60, probes=1))
    assert not breaker.found_well()
    breaker.enter(0.0)
    assert breaker.leave(breaker.epoch, False, 0.0)
    assert breaker.refusal(1.0)
    assert breaker.found_well() and breaker.state == "half-open"
    assert not breaker.found_well()
    assert breaker.enter(1.0) == 0
    assert breaker.leave(breaker.epoch, True, 1.0) and breaker.state == "closed"
