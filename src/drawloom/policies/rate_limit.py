"""So many calls a second, never more than the service says, and fair to all who wait.

The rate is the generic cell rate algorithm (ITU-T I.371): one number says when
the next call may go, and `burst` calls may go at once after a rest. On top of it
the service's own word counts: Retry-After (RFC 9110, 10.2.3) stops every call
until then, and a quota that it announces (the RateLimit fields of
draft-ietf-httpapi-ratelimit-headers, or X-RateLimit) is not overdrawn.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, Literal, TypeAlias

from drawloom.policies.turns import Ticket, Turns

Verdict: TypeAlias = Literal["go", "wait", "full"]

LONGEST_TOLD = 3600.0  # seconds: a service that asks for more is asked again after this

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class RateRule:
    """`per_second` calls a second on average, `burst` at once; None is without a rate."""

    per_second: float | None = None
    burst: int = 1


class Rate:
    """How fast calls may go. `take` one, or hear how long to wait."""

    __slots__ = ("_due", "_gap", "_left", "_quota_until", "_slack", "_stopped_until")

    def __init__(self, rule: RateRule) -> None:
        self._gap = 0.0 if rule.per_second is None else 1.0 / rule.per_second
        self._slack = self._gap * (rule.burst - 1) + _ROUNDING
        self._due = 0.0
        self._stopped_until = 0.0
        self._left: int | None = None  # of the quota that the service announced
        self._quota_until = 0.0

    def wait(self, now: float) -> float:
        """Seconds until a call may go; 0 if one may go now."""
        wait = 0.0 if not self._gap else self._due - self._slack - now
        if self._stopped_until > now:
            wait = max(wait, self._stopped_until - now)
        if self._left is not None:
            if now >= self._quota_until:
                self._left = None
            elif self._left < 1:
                wait = max(wait, self._quota_until - now)
        return max(0.0, wait)

    def take(self, now: float) -> float:
        """0 where a call goes now, which counts; else the seconds to wait."""
        wait = self.wait(now)
        if wait:
            return wait
        if self._gap:
            self._due = max(now, self._due) + self._gap
        if self._left is not None:
            self._left -= 1
        return 0.0

    def stop(self, now: float, retry_after: float) -> None:
        """The service wants to be left alone for *retry_after* seconds; the longest word counts."""
        self._stopped_until = max(self._stopped_until, now + min(retry_after, LONGEST_TOLD))

    def stopped(self, now: float) -> bool:
        """Whether the service wants to be left alone now."""
        return now < self._stopped_until

    def quota(self, now: float, remaining: int, reset: float) -> None:
        """The service has *remaining* calls left for the next *reset* seconds.

        Answers may overtake each other: within one quota the smaller number
        counts. A quota that ends a second later than the one before is another.
        """
        until = now + min(reset, LONGEST_TOLD)
        if self._left is None or until > self._quota_until + 1.0:
            self._left, self._quota_until = remaining, until
        else:
            self._left = min(self._left, remaining)


class RateLimit(Generic[Ticket]):
    """A rate with a bounded queue before it, in which groups (chains, say) take turns."""

    __slots__ = ("queue", "rate", "waiting")

    def __init__(self, rule: RateRule, queue: int) -> None:
        self.rate = Rate(rule)
        self.queue = queue
        self.waiting: Turns[Ticket] = Turns()

    def enter(
        self, ticket: Ticket, now: float, priority: int = 0, group: Hashable = None
    ) -> Verdict:
        """Go now, wait for `due`, or be refused where the queue is full."""
        if not self.waiting and not self.rate.take(now):
            return "go"
        if len(self.waiting) >= self.queue:
            return "full"
        self.waiting.add(ticket, priority, group)
        return "wait"

    def due(self, now: float) -> tuple[tuple[Ticket, ...], float | None]:
        """Who may go now, in order, and in how many seconds to ask again (None: nobody waits)."""
        let_go: list[Ticket] = []
        while self.waiting:
            if wait := self.rate.take(now):
                return tuple(let_go), wait
            let_go.append(self.waiting.pop())
        return tuple(let_go), None

    def withdraw(self, ticket: Ticket) -> bool:
        """Stop waiting; False for a ticket that does not wait."""
        return self.waiting.remove(ticket)
