"""Many lives after each other: each chain is drawn once and lives several of them."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from dataclasses import dataclass, field

from tests.simulation.blueprints import draw
from tests.simulation.world import MakeRun, World

from drawloom.kernel import TRANSITIONS, Run
from drawloom.kernel.life import Life
from drawloom.kernel.table import Trigger

LIVES_PER_CHAIN = 5
EVERY_TRANSITION = frozenset((status, t) for status, row in TRANSITIONS.items() for t in row)


@dataclass
class Lived:
    """What was seen in many lives."""

    ends: Counter[str] = field(default_factory=Counter)
    fired: Counter[str] = field(default_factory=Counter)
    taken: set[tuple[str, str]] = field(default_factory=set)  # transitions: status and trigger
    digest: str = ""


def live(first: int, last: int) -> Lived:
    """The lives of the seeds from *first* up to *last*. Raises `Violation`."""
    lived = Lived()

    class Watched(Run):
        __slots__ = ()

        def _move(self, life: Life, trigger: Trigger) -> None:
            lived.taken.add((life.status, trigger))
            super()._move(life, trigger)

    names = hashlib.blake2b(digest_size=16)
    for world in worlds(first, last, Watched):
        world.live()
        assert world.run.finished is not None
        lived.ends[world.run.finished.status] += 1
        lived.fired += world.fired
        names.update(world.digest.encode())
    lived.digest = names.hexdigest()
    return lived


def worlds(first: int, last: int, make_run: MakeRun = Run):  # type: ignore[no-untyped-def]
    """A world per seed, not yet begun; the plan of a chain is shared by its lives."""
    for seed in range(first, last):
        if seed == first or seed % LIVES_PER_CHAIN == 0:
            blueprint = draw(random.Random(seed - seed % LIVES_PER_CHAIN))
        yield World(blueprint, seed, make_run)
