"""What is kept for one tool on one connection, and for a connection as a whole."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drawloom.policies.circuit_breaker import CircuitBreaker
from drawloom.policies.rate_limit import RateLimit, RateRule
from drawloom.policies.retry_budget import RetryBudget
from drawloom.runtime.guarding.pools import Pool

if TYPE_CHECKING:
    from drawloom.runtime.guarding.hold import Hold


class Service:
    """What all tools of one connection share: the retry budget, and the rate with its timer."""

    __slots__ = ("_timer", "budget", "limit")

    def __init__(self, budget: RetryBudget, rate: RateRule, queue: int) -> None:
        self.budget = budget
        self.limit: RateLimit[Hold] = RateLimit(rate, queue)
        self._timer: asyncio.TimerHandle | None = None

    def set_timer(self) -> None:
        """Look again when the next of those who wait may go."""
        if self._timer is None and self.limit.waiting:
            wait = self.limit.rate.wait(time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(wait, self._due)

    def _due(self) -> None:
        self._timer = None
        due, _ = self.limit.due(time.monotonic())
        for hold in due:
            hold.go_on()
        self.set_timer()

    def stop(self) -> None:
        """Forget the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


@dataclass(frozen=True, slots=True)
class Guard:
    """What stands before one tool on one connection. `rooms` are keys with their limits."""

    tool: str
    connection: str | None
    breaker: CircuitBreaker
    service: Service
    rooms: tuple[tuple[Hashable, int], ...]
    pool: Pool | None = None  # that the connection is an instance of
