"""Ask the instances of a service how they are, now and then, while somebody uses them.

| state    | goes to                                                              |
|----------|----------------------------------------------------------------------|
| resting  | checking, at the first call: all are asked at once                   |
| checking | asks all again every so often; rests once no call came for `IDLE`    |
|          | intervals                                                            |

An instance is well until a check fails, and ill until one succeeds. While it is
being asked, it is not asked again. This is the active health check of Envoy and
HAProxy; the breakers are the passive one.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

IDLE: Final = 10  # intervals without a call, after which nobody is asked any more


@dataclass(frozen=True, slots=True)
class HealthRule:
    """How often an instance is asked, and how long it may take to answer, in seconds."""

    every: float = 10.0
    timeout: float = 2.0


class Health:
    """The health of some instances, by name."""

    __slots__ = ("_asked", "_due", "_ill", "_names", "_used", "rule")

    def __init__(self, rule: HealthRule, names: Collection[str]) -> None:
        self.rule = rule
        self._names = tuple(names)
        self._ill: set[str] = set()
        self._asked: set[str] = set()  # who has not answered yet
        self._used = 0.0
        self._due: float | None = None  # when all are asked next; None while it rests

    def used(self, now: float) -> bool:
        """A call came. True where it rested: `begin` is due now."""
        self._used = now
        if self._due is not None:
            return False
        self._due = now
        return True

    def begin(self, now: float) -> tuple[str, ...]:
        """Who is to be asked now; each must get an `answered`. None before it is due."""
        if self._due is None or now < self._due:
            return ()
        if now - self._used > IDLE * self.rule.every:
            self._due = None
            return ()
        self._due = now + self.rule.every
        asked = tuple(name for name in self._names if name not in self._asked)
        self._asked.update(asked)
        return asked

    def wait(self, now: float) -> float | None:
        """Seconds until `begin` is due; None while it rests."""
        return None if self._due is None else max(0.0, self._due - now)

    def answered(self, name: str, well: bool | None) -> bool:
        """How an instance is, None where nobody knows; whether that has changed."""
        self._asked.discard(name)
        if well is None or well == (name not in self._ill):
            return False
        (self._ill.discard if well else self._ill.add)(name)
        return True

    def refusal(self, name: str, now: float) -> float:
        """0 for an instance that is well, else the seconds until it may be."""
        if name not in self._ill:
            return 0.0
        return (self.wait(now) or 0.0) + self.rule.timeout
