"""Whose turn it is: of runs that share a key, so many go on at once, the others wait.

Pure bookkeeping, in memory: who waits is found again at a restart from the
journal. The higher priority goes first, then who came first.
"""

from __future__ import annotations

from collections.abc import Hashable
from heapq import heapify, heappop, heappush
from typing import TypeAlias

Group: TypeAlias = Hashable


class _Row:
    __slots__ = ("going", "waiting")

    def __init__(self) -> None:
        self.going: set[str] = set()
        self.waiting: list[tuple[int, int, str]] = []


class Turns:
    """The runs of each group that go on, and those that wait."""

    def __init__(self) -> None:
        self._rows: dict[Group, _Row] = {}
        self._came = 0

    def come(self, group: Group, run: str, limit: int, priority: int = 0) -> bool:
        """Whether *run* may go on at once; else it waits."""
        row = self._rows.setdefault(group, _Row())
        if len(row.going) < limit and not row.waiting:
            row.going.add(run)
            return True
        self._came += 1
        heappush(row.waiting, (-priority, self._came, run))
        return False

    def take(self, group: Group, run: str) -> None:
        """*run* has had its turn since before a restart, whatever the limit is now."""
        self._rows.setdefault(group, _Row()).going.add(run)

    def leave(self, group: Group, run: str, limit: int) -> list[str]:
        """*run* is over, or waits no more; the runs whose turn it is now."""
        row = self._rows.get(group)
        if row is None:
            return []
        row.going.discard(run)
        waiting = [entry for entry in row.waiting if entry[2] != run]
        if len(waiting) < len(row.waiting):
            heapify(waiting)
            row.waiting = waiting
        called = []
        while row.waiting and len(row.going) < limit:
            _, _, other = heappop(row.waiting)
            row.going.add(other)
            called.append(other)
        if not row.going and not row.waiting:
            del self._rows[group]
        return called

    def waiting(self, group: Group) -> int:
        """How many wait."""
        row = self._rows.get(group)
        return len(row.waiting) if row else 0
