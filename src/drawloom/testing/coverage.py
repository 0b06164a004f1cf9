"""Which steps, and which sides of their conditions, no test of a chain has reached."""

from __future__ import annotations

from collections.abc import Collection

from drawloom.chains.plan import Plan
from drawloom.drivers.simulated import Result

_RAN = frozenset({"succeeded", "failed", "unknown", "running", "resting", "waiting"})


class Coverage:
    """What the tests of one chain have reached so far."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._ran: set[str] = set()
        self._skipped: set[str] = set()

    def add(
        self, result: Result, pins: Collection[str] = (), only: Collection[str] | None = None
    ) -> None:
        """Count a run of the chain; what was pinned, or left out by *only*, proves nothing."""
        for name, step in result.steps.items():
            if name in pins or (only is not None and name not in only):
                continue
            if step.status == "skipped":
                self._skipped.add(name)
            elif step.status in _RAN and (step.attempts or step.status != "waiting"):
                self._ran.add(name)

    @property
    def steps(self) -> tuple[int, int]:
        """How many steps ran in some test, and how many there are."""
        return len(self._ran), len(self._plan.steps)

    @property
    def never_ran(self) -> tuple[str, ...]:
        """Steps that ran in no test."""
        return tuple(step.name for step in self._plan.steps if step.name not in self._ran)

    @property
    def never_skipped(self) -> tuple[str, ...]:
        """Steps with a condition, or on an error route, that no test has skipped."""
        routes = {e.target for e in self._plan.connections if e.outcome == "failed"}
        return tuple(
            step.name
            for step in self._plan.steps
            if (step.when is not None or step.name in routes) and step.name not in self._skipped
        )
