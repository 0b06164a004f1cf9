"""Each planted bug is found: the simulation itself is tested."""

from __future__ import annotations

import pytest
from tests.simulation.lives import worlds
from tests.simulation.mutants import MUTANTS, Mutant

from drawloom.errors import DrawloomError

WITHIN = 2_000  # lives


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name.replace(" ", "-"))
def test_a_planted_bug_is_found(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises((AssertionError, DrawloomError, LookupError)):
        for world in worlds(0, WITHIN, mutant.planted(monkeypatch)):
            world.live()


def test_without_a_bug_nothing_is_found() -> None:
    for world in worlds(0, 100):
        world.live()
