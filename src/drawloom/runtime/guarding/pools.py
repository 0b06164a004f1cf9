"""Several instances of one service behind one connection: which one takes the next call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from drawloom.policies import Effect
from drawloom.policies.health import HealthRule
from drawloom.policies.load_balancing import Balancer, Instance, Strategy
from drawloom.runtime.guarding.checking import Checker


@dataclass(frozen=True, slots=True)
class PoolRule:
    """The instances of a connection, and the settings in which each differs from it.

    An instance is a connection of its own: its name is that of the connection,
    `#`, and its number from 1.
    """

    instances: tuple[Instance, ...]
    strategy: Strategy = "round_robin"
    settings: Mapping[str, Mapping[str, Any]] | None = None  # by the instance's name
    health: HealthRule | None = None  # None: nobody asks how an instance is


class Pool:
    """The instances of one connection while an engine runs."""

    __slots__ = ("_balancer", "_ejected", "checker", "names")

    def __init__(self, rule: PoolRule) -> None:
        self._balancer = Balancer(rule.instances, rule.strategy)
        self.names = tuple(instance.name for instance in rule.instances)
        self.checker: Checker | None = None  # where its instances are asked how they are
        self._ejected: set[tuple[str, str]] = set()  # instances, each with a tool

    def pick(
        self,
        effect: Effect,
        run: str,
        draw: int,
        *,
        refused: Callable[[str], float],
        busy: Callable[[str], float],
    ) -> tuple[str | None, float]:
        """The instance for a call; or None, and the seconds until one may be well.

        *refused* says for how long an instance takes no calls, *busy* for how
        long calls to it would wait: those are left out while others are free.
        With `sticky` all calls of one run go to the same instance. *draw* is a large
        random integer.
        """
        reads = effect.looks_only
        ill = {name: wait for name in self.names if (wait := refused(name))}
        waiting = {name for name in self.names if name not in ill and busy(name)}
        choose = self._balancer.pick
        picked = choose(reads=reads, ejected={*ill, *waiting}, key=run, draw=draw)
        if picked is None and waiting:
            picked = choose(reads=reads, ejected=ill, key=run, draw=draw)
        if picked is None:
            return None, min(ill.values())
        return picked.name, 0.0

    def began(self, name: str) -> None:
        """A call to an instance is under way."""
        self._balancer.began(name)

    def ended(self, name: str) -> None:
        """A call to an instance is over."""
        self._balancer.ended(name)

    def ejects(self, name: str, tool: str, ill: bool) -> bool:
        """Note whether an instance is left out for a tool (all: ""); whether that is news."""
        if ((name, tool) in self._ejected) == ill:
            return False
        (self._ejected.add if ill else self._ejected.discard)((name, tool))
        return True
