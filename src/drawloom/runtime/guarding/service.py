"""What is kept for one tool on one connection, and for a connection as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drawloom.policies.circuit_breaker import CircuitBreaker
from drawloom.policies.rate_limit import RateLimit, RateRule
from drawloom.policies.retry_budget import RetryBudget
from drawloom.runtime.clock import Alarm, Timekeeper
from drawloom.runtime.guarding.pools import Pool

if TYPE_CHECKING:
    from drawloom.runtime.guarding.hold import Hold


class Service:
    """What all tools of one connection share: the retry budget, and the rate with its timer."""

    __slots__ = ("_clock", "_timer", "budget", "limit")

    def __init__(self, budget: RetryBudget, rate: RateRule, queue: int, clock: Timekeeper) -> None:
        self.budget = budget
        self.limit: RateLimit[Hold] = RateLimit(rate, queue)
        self._clock = clock
        self._timer: Alarm | None = None

    def set_timer(self) -> None:
        """Look again when the next of those who wait may go."""
        if self._timer is None and self.limit.waiting:
            wait = self.limit.rate.wait(self._clock.seconds())
            self._timer = self._clock.call_later(wait, self._due)

    def _due(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        due, _ = self.limit.due(now)
        for hold in due:
            hold.go_on(now)
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
    rooms: tuple[tuple[tuple[str, ...], int], ...]
    pool: Pool | None = None  # that the connection is an instance of

    @property
    def instance(self) -> str | None:
        """The connection, where it is one of several instances."""
        return None if self.pool is None else self.connection
