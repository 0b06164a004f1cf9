"""Which instance of a service takes the next call.

| strategy            | rule                                                                |
|---------------------|---------------------------------------------------------------------|
| `round_robin`       | one after another                                                   |
| `least_outstanding` | the one with the fewest calls under way                             |
| `two_choices`       | of two drawn at random the less busy (Mitzenmacher, 2001)           |
| `weighted`          | in proportion to weights, spread evenly (nginx's smooth round robin)|
| `primary`           | the first that is well, in the order given                          |
| `sticky`            | the same one for the same key (rendezvous hashing, Thaler 1998)     |

Writes go to primaries only. Reads go to replicas while one is well, else to a
primary. Who is well is an argument: the breakers know.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal, TypeAlias, get_args

Strategy: TypeAlias = Literal[
    "round_robin", "least_outstanding", "two_choices", "weighted", "primary", "sticky"
]
Role: TypeAlias = Literal["primary", "replica"]
STRATEGIES: tuple[str, ...] = get_args(Strategy)


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance. `weight` is its share of the calls with `weighted`."""

    name: str
    role: Role = "primary"
    weight: int = 1


class Balancer:
    """Chooses among instances. Whoever calls one says so with `began` and `ended`."""

    def __init__(self, instances: Sequence[Instance], strategy: Strategy = "round_robin") -> None:
        self.instances = tuple(instances)
        self.outstanding = {instance.name: 0 for instance in instances}
        self._primaries = tuple(i for i in self.instances if i.role == "primary")
        self._replicas = tuple(i for i in self.instances if i.role == "replica")
        self._turn = 0
        self._last = {instance.name: 0 for instance in instances}
        self._credit = {instance.name: 0 for instance in instances}
        self._hashes = {i.name: blake2b(i.name.encode(), digest_size=8) for i in instances}
        chosen: dict[str, Callable[[Sequence[Instance], str, int], Instance]] = {
            "round_robin": self._round_robin,
            "least_outstanding": self._least_outstanding,
            "two_choices": self._two_choices,
            "weighted": self._weighted,
            "primary": lambda candidates, key, draw: candidates[0],
            "sticky": self._sticky,
        }
        self._choose = chosen[strategy]

    def pick(
        self, *, reads: bool, ejected: Container[str] = (), key: str = "", draw: int = 0
    ) -> Instance | None:
        """The instance for the next call; None where none may take it.

        *ejected* names those that are not well, *key* is what `sticky` goes by,
        *draw* is any large random integer, for `two_choices`.
        """
        candidates: Sequence[Instance] = ()
        if reads and self._replicas:
            candidates = [i for i in self._replicas if i.name not in ejected]
        if not candidates:
            candidates = self._primaries
            if ejected:
                candidates = [i for i in candidates if i.name not in ejected]
        if len(candidates) < 2:
            return candidates[0] if candidates else None
        return self._choose(candidates, key, draw)

    def began(self, name: str) -> None:
        """A call to *name* is under way."""
        self.outstanding[name] += 1

    def ended(self, name: str) -> None:
        """A call to *name* is over."""
        self.outstanding[name] -= 1

    def _round_robin(self, candidates: Sequence[Instance], key: str, draw: int) -> Instance:
        self._turn += 1
        return candidates[self._turn % len(candidates)]

    def _least_outstanding(self, candidates: Sequence[Instance], key: str, draw: int) -> Instance:
        busy, last = self.outstanding, self._last
        best = min(candidates, key=lambda i: (busy[i.name], last[i.name]))
        self._turn += 1  # of those that are equal, the one that rested longest
        last[best.name] = self._turn
        return best

    def _two_choices(self, candidates: Sequence[Instance], key: str, draw: int) -> Instance:
        count = len(candidates)
        draw, first = divmod(draw, count)
        second = (first + 1 + draw % (count - 1)) % count
        one, other = candidates[first], candidates[second]
        return one if self.outstanding[one.name] <= self.outstanding[other.name] else other

    def _weighted(self, candidates: Sequence[Instance], key: str, draw: int) -> Instance:
        credit, total = self._credit, 0
        for instance in candidates:
            credit[instance.name] += instance.weight
            total += instance.weight
        best = max(candidates, key=lambda instance: credit[instance.name])
        credit[best.name] -= total
        return best

    def _sticky(self, candidates: Sequence[Instance], key: str, draw: int) -> Instance:
        encoded = key.encode()

        def score(instance: Instance) -> bytes:
            hashed = self._hashes[instance.name].copy()
            hashed.update(encoded)
            return hashed.digest()

        return max(candidates, key=score)
