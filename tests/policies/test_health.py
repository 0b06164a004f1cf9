"""Health checks: who is asked when, and who is left out, for any order of calls and answers."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from drawloom.policies.health import IDLE, Health, HealthRule

NAMES = ("a", "b", "c")
EVERY, TIMEOUT = 10.0, 2.0


class Checks(RuleBasedStateMachine):
    """A driver that asks when told to; the model is who is ill, and who was not answered for."""

    def __init__(self) -> None:
        super().__init__()
        self.health = Health(HealthRule(EVERY, TIMEOUT), NAMES)
        self.now = 0.0
        self.used: float | None = None
        self.ill: set[str] = set()
        self.open: set[str] = set()
        self.asked_at: float | None = None

    @rule()
    def call(self) -> None:
        rested = self.health.wait(self.now) is None
        self.used = self.now
        assert self.health.used(self.now) == rested
        if rested:
            assert self.health.wait(self.now) == 0
            self._begin()

    @rule(seconds=st.floats(0, 25))
    def pass_time(self, seconds: float) -> None:
        until = self.now + seconds
        while (wait := self.health.wait(self.now)) is not None and self.now + wait <= until:
            self.now += wait
            if not self.health.wait(self.now):  # else it was rounded
                self._begin()
        self.now = until

    def _begin(self) -> None:
        assert self.used is not None
        idle = self.now - self.used > IDLE * EVERY
        asked = set(self.health.begin(self.now))
        assert asked == (set() if idle else set(NAMES) - self.open)
        assert idle == (self.health.wait(self.now) is None)
        assert (
            not asked
            or self.asked_at is None
            or self.now - self.asked_at >= EVERY - 1e-6
            or (self.now == self.used)
        )
        if not idle:
            self.asked_at = self.now
        self.open |= asked

    @precondition(lambda self: self.open)
    @rule(data=st.data(), well=st.sampled_from([True, False, None]))
    def answer(self, data: st.DataObject, well: bool | None) -> None:
        name = data.draw(st.sampled_from(sorted(self.open)))
        self.open.discard(name)
        news = well is not None and well == (name in self.ill)
        assert self.health.answered(name, well) == news
        if well is not None:
            (self.ill.discard if well else self.ill.add)(name)

    @invariant()
    def the_ill_are_refused_for_a_while_and_the_well_are_not(self) -> None:
        for name in NAMES:
            refusal = self.health.refusal(name, self.now)
            assert (refusal > 0) == (name in self.ill)
            assert refusal <= EVERY + TIMEOUT + 1e-6

    @invariant()
    def nobody_is_asked_before_it_is_due(self) -> None:
        if self.health.wait(self.now) != 0:
            assert self.health.begin(self.now) == ()


TestChecks = Checks.TestCase


def test_while_calls_come_all_are_asked_at_each_interval_and_then_no_more() -> None:
    health = Health(HealthRule(EVERY, TIMEOUT), NAMES)
    rounds, now = list[float](), 0.0
    assert health.used(now)
    while (wait := health.wait(now)) is not None and len(rounds) < 100:
        now += wait
        if asked := health.begin(now):
            rounds.append(now)
        for name in asked:
            health.answered(name, True)
        if now == 50.0:
            assert not health.used(now)
    assert rounds == [EVERY * n for n in range(IDLE + 6)]
    assert health.used(now)
