"""Stop calling a service that fails, ask it carefully later, and go on once it is well.

| state     | a call                         | goes to                                        |
|-----------|--------------------------------|------------------------------------------------|
| closed    | goes on                        | open, once the failure rate is reached         |
| open      | is refused, with how long yet  | half-open, at the first call after that time,  |
|           |                                | or once the service is found well otherwise    |
| half-open | goes on, so many at once       | closed after that many answers; open after one |
|           | (probes); others are refused   | failure, for twice as long as before           |

The pattern is Nygard's ("Release It!", 2007); the window with a minimum of
calls and the bounded probes are those of Resilience4j. What counts is what
speaks of the service's health: no answer (transient, timeout) is a failure; an
answer of any kind, a refusal included, is none. Throttled does not count either
way: the service is well, and says itself when to come back, which the rate
limit honours. Lost and defect tell about us, not about the service.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal, TypeAlias

from drawloom.errors import Failure, FailureKind

State: TypeAlias = Literal["closed", "open", "half-open"]

_UNWELL = frozenset({FailureKind.TRANSIENT, FailureKind.TIMEOUT})
_SAYS_NOTHING = frozenset({FailureKind.THROTTLED, FailureKind.LOST, FailureKind.DEFECT})


def speaks_of_health(failure: Failure | None) -> bool | None:
    """True for a service that answered, False for one that did not, None where nobody knows."""
    if failure is None:
        return True
    if failure.kind in _UNWELL:
        return False
    return None if failure.kind in _SAYS_NOTHING or failure.harmless else True


@dataclass(frozen=True, slots=True)
class BreakerRule:
    """When a breaker opens, and for how long. Times are in seconds.

    It opens once at least `minimum_calls` of the last `calls`, none of them
    older than `window`, have ended and the share `failure_rate` of them failed.
    """

    failure_rate: float = 0.5
    minimum_calls: int = 20
    calls: int = 100
    window: float = 30.0
    open_for: float = 5.0
    open_at_most: float = 60.0
    probes: int = 3


class CircuitBreaker:
    """One breaker. Whoever was let in must `leave`, with the `epoch` that it came in at."""

    __slots__ = ("_failed", "_goes", "_outcomes", "_pause", "epoch", "rule", "state", "until")

    def __init__(self, rule: BreakerRule) -> None:
        self.rule = rule
        self.state: State = "closed"
        self.epoch = 0  # counts the changes of state: an answer from before one is ignored
        self.until = 0.0  # open until then
        self._pause = rule.open_for
        self._outcomes: deque[tuple[float, bool]] = deque()  # when, and whether it went well
        self._failed = 0
        self._goes = 0  # half-open: probes that may still begin

    def enter(self, now: float) -> float:
        """0 to go on, or the seconds until it is worth asking again."""
        if self.state == "closed":
            return 0.0
        if self.state == "open":
            if now < self.until:
                return self.until - now
            self._half_open()
        if self._goes:
            self._goes -= 1
            return 0.0
        return self.rule.open_for

    def refusal(self, now: float) -> float:
        """What `enter` would say, without coming in."""
        if self.state == "closed" or (self.state == "open" and now >= self.until):
            return 0.0
        if self.state == "open":
            return self.until - now
        return 0.0 if self._goes else self.rule.open_for

    def found_well(self) -> bool:
        """The service was asked in another way, and is well: calls may try it; whether that is new."""
        if self.state != "open":
            return False
        self._half_open()
        return True

    def leave(self, epoch: int, well: bool | None, now: float) -> bool:
        """The outcome of a call that was let in at *epoch*; whether the state changed.

        *well* is what `speaks_of_health` says.
        """
        if epoch != self.epoch:
            return False
        if self.state == "half-open":
            return self._probed(well, now)
        if well is None:
            return False
        outcomes = self._outcomes
        outcomes.append((now, well))
        if not well:
            self._failed += 1
        oldest = now - self.rule.window
        while outcomes[0][0] < oldest or len(outcomes) > self.rule.calls:
            if not outcomes.popleft()[1]:
                self._failed -= 1
        if well or len(outcomes) < self.rule.minimum_calls:
            return False
        if self._failed < self.rule.failure_rate * len(outcomes):
            return False
        self._pause = self.rule.open_for
        self._open(now)
        return True

    def _probed(self, well: bool | None, now: float) -> bool:
        if well is None:
            self._goes += 1
            return False
        if not well:
            self._pause = min(self._pause * 2, self.rule.open_at_most)
            self._open(now)
            return True
        self._outcomes.append((now, True))
        if len(self._outcomes) < self.rule.probes:
            return False
        self._change("closed")
        return True

    def _half_open(self) -> None:
        self._change("half-open")
        self._goes = self.rule.probes

    def _open(self, now: float) -> None:
        self.until = now + self._pause
        self._change("open")

    def _change(self, state: State) -> None:
        self.state = state
        self.epoch += 1
        self._outcomes.clear()
        self._failed = 0
