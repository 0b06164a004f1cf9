"""What the calls of a stored run cost, summed by step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drawloom.drivers.embedded.store import StoredEvent


@dataclass(frozen=True, slots=True)
class Metrics:
    """What the answered calls of a step cost together: microseconds and bytes.

    `peak_memory` is that of the largest call, None where none had its own process.
    """

    calls: int = 0
    wall: int = 0
    cpu: int = 0
    bytes_in: int | None = None
    bytes_out: int | None = None
    peak_memory: int | None = None


def costs_of(events: Iterable[StoredEvent]) -> dict[str, Metrics]:
    """What the answered calls of each step cost."""
    sums: dict[str, list[StoredEvent]] = defaultdict(list)
    for event in events:
        if event.step is not None and event.wall is not None:
            sums[event.step].append(event)
    return {name: _sum(of_step) for name, of_step in sums.items()}


def _sum(events: list[StoredEvent]) -> Metrics:
    return Metrics(
        len(events),
        sum(event.wall or 0 for event in events),
        sum(event.cpu or 0 for event in events),
        _counted([event.bytes_in for event in events]),
        _counted([event.bytes_out for event in events]),
        max((event.peak_memory or 0 for event in events), default=0) or None,
    )


def _counted(sizes: list[int | None]) -> int | None:
    """The sum, or None where no door could count."""
    known = [size for size in sizes if size is not None]
    return sum(known) if known else None
