"""A thousand lives of chains with sub-chains, repeats, waits, approvals, sagas and streams."""

from __future__ import annotations

from collections import Counter

import pytest
from tests.simulation.construct_mutants import CONSTRUCT_MUTANTS, ConstructMutant
from tests.simulation.constructs import Life

from drawloom.errors import DrawloomError

FIRED = {
    "crash", "Started", "Admitted", "CallSucceeded", "CallFailed", "TimerFired", "Evaluated",
    "CancelRequested", "Resolved", "SignalReceived", "Approved", "Pulled", "Refused",
}  # fmt: skip


@pytest.mark.parametrize("first", range(0, 1_000, 250))
def test_lives_end_well(first: int) -> None:
    ends: Counter[str] = Counter()
    fired: Counter[str] = Counter()
    for seed in range(first, first + 250):
        life = Life(seed).live()
        assert life.run.finished is not None
        ends[life.run.finished.status] += 1
        fired += life.fired
    assert min(ends[end] for end in ("succeeded", "failed", "cancelled")) > 5
    assert {name for name in FIRED if not fired[name]} == set()


@pytest.mark.parametrize("mutant", CONSTRUCT_MUTANTS, ids=lambda m: m.name.replace(" ", "-"))
def test_a_planted_bug_is_found(mutant: ConstructMutant) -> None:
    planted = mutant.planted()
    with pytest.raises((AssertionError, DrawloomError, LookupError)):
        for seed in range(1_500):
            Life(seed, planted).live()
