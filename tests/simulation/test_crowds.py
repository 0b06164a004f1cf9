"""Random crowds keep every rule, and a planted bug in the guards is found."""

from __future__ import annotations

import inspect
from collections import Counter
from dataclasses import dataclass
from types import ModuleType

import pytest
from tests.simulation.crowd_rules import judge
from tests.simulation.crowds import Crowd
from tests.simulation.mutants import loaded
from tests.simulation.places import Violation

from drawloom.facts import BreakerChanged, CallQueued, CallRefused, InstanceChanged, ToolCall
from drawloom.policies import admission, cache, circuit_breaker, rate_limit, retry_budget
from drawloom.runtime import caching
from drawloom.runtime.guarding import hold

WITHIN = 150  # crowds


async def lived(first: int, last: int) -> list[Crowd]:
    crowds = []
    for seed in range(first, last):
        crowd = await Crowd(seed).live()
        judge(crowd)
        crowds.append(crowd)
    return crowds


async def test_crowds_keep_the_rules() -> None:
    assert len(await lived(0, 3)) == 3


@pytest.mark.slow
async def test_crowds_keep_the_rules_and_every_guard_has_its_say() -> None:
    fired: Counter[str] = Counter()
    for crowd in await lived(0, 40):
        fired += crowd.ends
        for fact in crowd.facts:
            if isinstance(fact, CallQueued):
                fired[f"queued: {fact.limit}"] += 1
            elif isinstance(fact, CallRefused):
                fired[f"refused: {fact.limit}"] += 1
            elif isinstance(fact, BreakerChanged):
                fired[fact.state] += 1
            elif isinstance(fact, InstanceChanged):
                fired[f"{fact.state}: {fact.why}"] += 1
            elif isinstance(fact, ToolCall):
                fired[fact.cached or ("made" if fact.run else "refreshed")] += 1
    limits = ("connection", "tool", "chain", "all", "rate")
    expected = {
        "succeeded", "failed", "cancelled", "open", "half-open", "closed", "fresh", "stale",
        "made", "refreshed", *(f"{s}: {w}" for s in ("ejected", "back") for w in ("breaker", "health-check")),
        *(f"queued: {limit}" for limit in limits),
        *(f"refused: {limit}" for limit in (*limits, "breaker", "retry-budget", "instances")),
    }  # fmt: skip
    assert {name for name in expected if not fired[name]} == set()


async def test_the_same_seed_gives_the_same_crowd() -> None:
    for seed in (3, 4):
        assert (await Crowd(seed).live()).digest == (await Crowd(seed).live()).digest


@pytest.mark.slow
async def test_a_thousand_crowds() -> None:
    assert len(await lived(1_000, 2_000)) == 1_000


@dataclass(frozen=True)
class Planted:
    """A bug in a method: what it replaces, and by what."""

    name: str
    module: ModuleType
    method: str
    old: str
    new: str
    slow: bool = False  # it takes many crowds to find it

    def plant(self, monkeypatch: pytest.MonkeyPatch) -> None:
        source = inspect.getsource(self.module)
        assert source.count(self.old) == 1, f"{self.name}: the source has changed; so must this"
        owner, _, method = self.method.partition(".")
        changed = getattr(loaded(self.module, source.replace(self.old, self.new)), owner)
        monkeypatch.setattr(getattr(self.module, owner), method, getattr(changed, method))


PLANTED = [
    Planted(
        "the breaker never opens", circuit_breaker, "CircuitBreaker.leave",
        "if self._failed < self.rule.failure_rate * len(outcomes):", "if True:",
    ),
    Planted(
        "an open breaker lets those try that have waited", circuit_breaker, "CircuitBreaker.enter",
        "            if now < self.until:", "            if False:", slow=True,
    ),
    Planted(
        "single flight makes two calls", caching, "Answers.lead",
        "        if flight is None:", "        if True:",
    ),
    Planted(
        "a fresh answer is fetched again", cache, "Cache.get",
        "if now < entry.fresh_until:", "if now < entry.fresh_until - 2:",
    ),
    Planted(
        "a hold leaks a place", hold, "Hold._give_back",
        "self._rooms[: self._at], 0", "self._rooms[1 : self._at], 0",
    ),
    Planted(
        "who gave up still waits", hold, "Hold._withdraw",
        "        self._guards.admission.withdraw(self)\n", "",
    ),
    Planted(
        "the calls of an instance are never over", hold, "Hold.leave",
        'guard.pool.ended(guard.connection or "")', "pass",
    ),
    Planted(
        "the retry budget is ignored", retry_budget, "RetryBudget.retry",
        "if self._retries + 1 > self.rule.ratio * self._firsts + self.rule.reserve:", "if False:",
        slow=True,
    ),
    Planted(
        "the rate is ignored", rate_limit, "Rate.take",
        "            self._due = max(now, self._due) + self._gap", "            pass", slow=True,
    ),
    Planted(
        "one call more than there are places", admission, "Admission.enter",
        "if line.inside < limit and not line.waiting:",
        "if line.inside <= limit and not line.waiting:",
    ),
]  # fmt: skip


def marked(planted: Planted) -> object:
    marks = [pytest.mark.slow] if planted.slow else []
    return pytest.param(planted, id=planted.name.replace(" ", "-"), marks=marks)


@pytest.mark.parametrize("planted", [marked(planted) for planted in PLANTED])
async def test_a_planted_bug_is_found(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    planted.plant(monkeypatch)
    with pytest.raises(Violation):
        await lived(0, WITHIN)
