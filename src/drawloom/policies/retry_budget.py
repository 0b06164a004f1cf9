"""Retries may not make an overload worse: all together they have a budget per service.

Within a sliding window, retries are at most `ratio` times the first attempts,
plus a small reserve so that a service that is seldom called can be tried again
at all. With a ratio of 1 retries at most double the load. The rule is that of
Finagle's RetryBudget and of the SRE book (chapter 21, "Handling Overload").
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

_SLOTS = 10  # a window moves by a tenth of itself


@dataclass(frozen=True, slots=True)
class BudgetRule:
    """`window` is in seconds, `reserve` is retries per window that need no first attempts."""

    ratio: float = 1.0
    reserve: int = 10
    window: float = 10.0


class RetryBudget:
    """The first attempts and retries of the last window."""

    __slots__ = ("_firsts", "_retries", "_slot", "_slots", "rule")

    def __init__(self, rule: BudgetRule) -> None:
        self.rule = rule
        self._slot = rule.window / _SLOTS
        self._slots: deque[list[int]] = deque()  # number, first attempts, retries
        self._firsts = 0
        self._retries = 0

    def first(self, now: float) -> None:
        """A first attempt was made."""
        self._current(now)[1] += 1
        self._firsts += 1

    def retry(self, now: float) -> float:
        """0 where a retry may be made, which counts; else the seconds until one may be."""
        slot = self._current(now)
        if self._retries + 1 > self.rule.ratio * self._firsts + self.rule.reserve:
            return self._slot
        slot[2] += 1
        self._retries += 1
        return 0.0

    def _current(self, now: float) -> list[int]:
        number = int(now // self._slot)
        slots = self._slots
        if slots and slots[-1][0] >= number:
            return slots[-1]
        while slots and slots[0][0] <= number - _SLOTS:
            _, firsts, retries = slots.popleft()
            self._firsts -= firsts
            self._retries -= retries
        slots.append([number, 0, 0])
        return slots[-1]
