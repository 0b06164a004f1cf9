"""How big each workload is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """The full sizes; `--quick` shortens the clock, and leaves the slowest out."""

    seconds: float = 1.0  # that one measurement of W1 goes on for, about
    workers: int = 100  # chains at a time
    fan_out: int = 1000
    parallel: int = 1000  # runs at a time in W3
    document: int = 1_000_000  # bytes of JSON in W4
    repeats: int = 7  # of W2, W3 and W4 in one process; the median counts
    kept: tuple[int, ...] = (10, 1_000, 100_000)  # stored runs in W8
    starts: int = 3  # of each command in W5; the median counts
    recovered: int = 20  # runs that W6 kills


FULL = Sizes()
QUICK = Sizes(seconds=0.3, repeats=3, starts=1, kept=(10, 1_000, 10_000))
