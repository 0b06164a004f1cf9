"""When to try again: exponential delays, jitter, a total budget, and the effect table."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from drawloom.errors import Failure, FailureKind
from drawloom.policies.effect import Effect, outcome_unknown

RETRYABLE = frozenset(
    {FailureKind.THROTTLED, FailureKind.TRANSIENT, FailureKind.TIMEOUT, FailureKind.LOST}
)

# A tool that kills its process would otherwise be started again for ever.
LOSSES_AT_MOST = 3


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how soon a failed call is made again. Times are in seconds.

    The delay before attempt n+1 is `delay * factor ** (n - 1)`, at most
    `max_delay`, of which a share `jitter` (0 to 1) is random ("full jitter" is
    1; Brooker, "Exponential Backoff and Jitter", AWS 2015). `budget` bounds the
    time from the first attempt to the start of the last one.
    """

    attempts: int = 3
    delay: float = 1.0
    factor: float = 2.0
    max_delay: float = 60.0
    jitter: float = 0.5
    budget: float | None = None
    on: frozenset[FailureKind] = RETRYABLE

    def next_delay(
        self,
        failure: Failure,
        *,
        effect: Effect,
        attempt: int,
        losses: int,
        elapsed: float,
        seed: str,
    ) -> float | None:
        """Seconds until the next attempt, or None to give up.

        *attempt* counts from 1, *losses* how many attempts ended as LOST
        (this one included), *elapsed* is the time since the first attempt.
        Jitter is a hash of *seed*, so that a replay computes the same delay.
        """
        if outcome_unknown(effect, failure):
            return None
        if failure.kind is FailureKind.LOST:
            # The call itself did nothing wrong: it is made again at once, and
            # does not use up an attempt.
            return 0.0 if losses <= LOSSES_AT_MOST else None
        if failure.kind not in self.on or attempt - losses >= self.attempts:
            return None
        pause = self._pause(failure, attempt - losses, seed)
        if self.budget is not None and elapsed + pause > self.budget:
            return None
        return pause

    def _pause(self, failure: Failure, tried: int, seed: str) -> float:
        """What the service asked for, or the exponential delay, whichever is longer."""
        grown = min(self.delay * self.factor ** min(tried - 1, 64), self.max_delay)
        spread = zlib.crc32(f"{seed}#{tried}".encode()) / 0xFFFFFFFF
        pause = grown * (1 - self.jitter + self.jitter * spread)
        return max(pause, failure.retry_after or 0.0)
