"""Live again: `python -m tests.simulation FIRST LAST`, or the trace of one with `SEED`."""

from __future__ import annotations

import sys

from tests.simulation.lives import live, worlds

if len(sys.argv) == 3:
    print(live(int(sys.argv[1]), int(sys.argv[2])).digest)
else:
    [world] = worlds(int(sys.argv[1]), int(sys.argv[1]) + 1)
    try:
        world.live()
    finally:
        print(world.blueprint.plan.document["steps"], *world.trace, sep="\n")
