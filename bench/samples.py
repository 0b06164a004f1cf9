"""What was measured, and the medians and ratios that are drawn from it.

A ratio is taken within one pass, where both sides met the same machine, and the
median of those is reported: a machine that slows down by half between passes
changes the figures, but hardly their ratios.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from bench.measure import Metrics


@dataclass(frozen=True, slots=True)
class Sample:
    """One process's figures."""

    workload: str
    engine: str
    turn: int  # the pass it belongs to, from 0
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some values, the lowest and the highest."""

    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread | None:
        """None where there are no values."""
        kept = list(values)
        return cls(median(kept), min(kept), max(kept)) if kept else None


@dataclass(slots=True)
class Samples:
    """All of one race, and why some are missing."""

    taken: list[Sample] = field(default_factory=list)
    missing: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, sample: Sample) -> None:
        """Keep one more."""
        self.taken.append(sample)

    def values(self, workload: str, engine: str, metric: str) -> dict[int, float]:
        """The metric in each pass that has it."""
        return {
            s.turn: s.metrics[metric]
            for s in self.taken
            if (s.workload, s.engine) == (workload, engine) and metric in s.metrics
        }

    def spread(self, workload: str, engine: str, metric: str) -> Spread | None:
        """The metric over all passes."""
        return Spread.of(self.values(workload, engine, metric).values())

    def ratio(self, workload: str, engine: str, metric: str, other: str) -> Spread | None:
        """*engine* over *other*, pass by pass."""
        ours, theirs = (self.values(workload, e, metric) for e in (engine, other))
        return Spread.of(
            ours[turn] / theirs[turn] for turn in ours.keys() & theirs.keys() if theirs[turn]
        )

    def as_json(self) -> dict[str, Any]:
        """For the file of results."""
        return {
            "samples": [asdict(s) for s in self.taken],
            "missing": [
                {"workload": w, "engine": e, "why": why} for (w, e), why in self.missing.items()
            ],
        }
