"""Ten thousand random lives; see the package for what is random in them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.simulation.constructs import Life as ConstructsLife
from tests.simulation.lives import EVERY_TRANSITION, Lived, live

from drawloom.errors import FailureKind
from drawloom.kernel import Run
from drawloom.kernel.life import Life
from drawloom.kernel.table import Trigger

ROOT = Path(__file__).parents[2]

# Whatever may happen to a run has to have happened.
FAULTS = {
    "crash",
    "lost rows",
    "noise",
    "CancelRequested",
    "TimerFired",
    "Evaluated",
    "not evaluated",
    "resolved: succeeded",
    "resolved: failed",
    "resolved: again",
    *(f"failed: {kind}" for kind in FailureKind),
}


@pytest.fixture(scope="module")
def thousand() -> Lived:
    return live(0, 1_000)


@pytest.mark.slow
def test_a_thousand_lives_end_in_every_way(thousand: Lived) -> None:
    assert thousand.ends.total() == 1_000
    assert min(thousand.ends[end] for end in ("succeeded", "failed", "cancelled")) > 30


@pytest.mark.slow
def test_every_fault_fired(thousand: Lived) -> None:
    assert {fault for fault in FAULTS if not thousand.fired[fault]} == set()


@pytest.mark.slow
def test_every_transition_of_the_table_was_taken(thousand: Lived) -> None:
    taken = set(thousand.taken)

    class Watched(Run):
        __slots__ = ()

        def _move(self, life: Life, trigger: Trigger) -> None:
            taken.add((life.status, trigger))
            super()._move(life, trigger)

    for seed in range(1_000):
        ConstructsLife(seed, Watched).live()
    assert taken == EVERY_TRANSITION


def test_the_same_seeds_live_the_same_lives() -> None:
    assert live(0, 50).digest == live(0, 50).digest != live(50, 100).digest


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_the_order_of_sets_decides_nothing(hash_seed: str) -> None:
    """The same trace in another process, with another order of every set of strings."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation", "0", "50"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == live(0, 50).digest


@pytest.mark.slow
def test_ten_thousand_lives() -> None:
    assert live(1_000, 11_000).ends.total() == 10_000
