"""Several instances of one service behind one connection: which one takes the next call."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from drawloom.policies import Effect
from drawloom.policies.health import HealthRule
from drawloom.policies.load_balancing import Balancer, Instance, Strategy
from drawloom.runtime.guarding.checking import Checker

_REMEMBERED = 10_000  # calls whose last attempt failed


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

    __slots__ = ("_balancer", "_ejected", "_failed", "checker", "names")

    def __init__(self, rule: PoolRule) -> None:
        self._balancer = Balancer(rule.instances, rule.strategy)
        self.names = tuple(instance.name for instance in rule.instances)
        self.checker: Checker | None = None  # where its instances are asked how they are
        self._ejected: set[tuple[str, str]] = set()  # instances, each with a tool
        self._failed: OrderedDict[tuple[str, str], str] = OrderedDict()

    def pick(
        self,
        effect: Effect,
        run: str,
        draw: int,
        *,
        refused: Callable[[str], float],
        busy: Callable[[str], float],
        stays: str | None = None,
        avoid: str | None = None,
    ) -> tuple[str | None, float]:
        """The instance for a call; or None, and the seconds until one may be well.

        *refused* says for how long an instance takes no calls, *busy* for how
        long calls to it would wait: those are left out while others are free.
        With `sticky` all calls of one run go to the same instance. *draw* is a large
        random integer. *stays* is taken while it is well, *avoid* only where there is
        no other.
        """
        reads = effect.looks_only
        ill = {name: wait for name in self.names if (wait := refused(name))}
        waiting = {name for name in self.names if name not in ill and busy(name)}
        if stays is not None and stays in self.names and stays not in ill:
            return stays, 0.0
        left_out = [{*ill, *waiting}] + ([set(ill)] if waiting else [])
        if avoid is not None:
            left_out.insert(0, {*ill, *waiting, avoid})
        for out in left_out:
            picked = self._balancer.pick(reads=reads, ejected=out, key=run, draw=draw)
            if picked is not None:
                return picked.name, 0.0
        return None, min(ill.values())

    def failed(self, place: tuple[str, str], name: str) -> None:
        """An instance gave no answer to a call; its next attempt is better made elsewhere."""
        self._failed[place] = name
        if len(self._failed) > _REMEMBERED:
            self._failed.popitem(last=False)

    def failed_before(self, place: tuple[str, str]) -> str | None:
        """The instance that gave no answer to the attempt before."""
        return self._failed.pop(place, None)

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
