"""What the project promises of its speed, and whether this race met it.

A ratio is judged by its median over the passes; a figure in milliseconds holds
for the machine it ran on, so the context printed with the table belongs to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bench.samples import Samples, Spread

Verdict = Literal["PASS", "MISS", "not measured"]


@dataclass(frozen=True, slots=True)
class Target:
    """*metric* of *engine* (over that of *against*, if any) on the good side of *bound*."""

    workload: str
    says: str
    engine: str
    metric: str
    bound: float
    at_least: bool = False
    against: str = ""
    unit: str = ""

    def found(self, samples: Samples) -> Spread | None:
        """What this race measured of it."""
        if self.against:
            return samples.ratio(self.workload, self.engine, self.metric, self.against)
        return samples.spread(self.workload, self.engine, self.metric)

    def verdict(self, samples: Samples) -> Verdict:
        """Whether it was met; a target whose figures are missing was not."""
        found = self.found(samples)
        if found is None:
            return "not measured"
        good = found.middle >= self.bound if self.at_least else found.middle <= self.bound
        return "PASS" if good else "MISS"


def _times(says: str, engine: str, bound: float, against: str) -> Target:
    return Target("W1", says, engine, "steps_per_s", bound, True, against, "x")


MEMORY, FULL = "drawloom-memory", "drawloom-full"

TARGETS: tuple[Target, ...] = (
    _times("in memory, 100 together: 0.6 of a task per step", MEMORY, 0.6, "tasks"),
    _times("in memory, 100 together: 30 times LangGraph", MEMORY, 30, "langgraph"),
    _times("in memory, 100 together: 5 times Node-RED", MEMORY, 5, "node-red"),
    Target("W1", "in memory, one at a time: under 10 µs a step", MEMORY, "step_us", 10, unit="µs"),
    Target("W1", "durable, 100 together: 30,000 steps/s", FULL, "steps_per_s", 30_000, True),
    _times("durable, 100 together: 100 times DBOS on SQLite", FULL, 100, "dbos"),
    Target("W2", "in memory, fan-out to 1,000: under 15 ms", MEMORY, "ms", 15, unit="ms"),
    Target("W2", "durable, fan-out to 1,000: under 40 ms", FULL, "ms", 40, unit="ms"),
    Target("W3", "durable, 1,000 runs: 1.6 times the ideal", FULL, "of_ideal", 1.6, unit="x"),
    Target("W3", "durable, 1,000 runs: under 100 MB", FULL, "rss_mb", 100, unit="MB"),
    Target("W4", "in memory: less than one copy in five steps", MEMORY, "copies", 0.9),
    Target("W5", "cold `drawloom run`: under 0.7 s", "drawloom-cli", "run_ms", 700, unit="ms"),
    Target("W5", "`drawloom --help`: under 0.3 s", "drawloom-cli", "help_ms", 300, unit="ms"),
    Target("W6", "first step under 0.3 s after the start", FULL, "first_step_s", 0.3, unit="s"),
    Target("W6", "no acknowledged run is lost", FULL, "lost", 0),
    Target("W6", "no step is repeated more than once", FULL, "repeated_more", 0),
    Target("W8", "flat from 10 stored runs to the most: 1.5 times", FULL, "growth", 1.5, unit="x"),
)
