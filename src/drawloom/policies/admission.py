"""A waiting room: so many at once per key, the rest wait in a bounded queue, in a fair order.

Whoever enters is let in (`go`), waits (`wait`), or is refused (`full`). Whoever
leaves is told who may come in now. Higher priorities go first; within one
priority the groups that wait (chains, say) take turns, and within one group
the first to come is the first to go. Nothing is kept for a key that nobody
uses, so any number of keys may come and go.

Three rules hold after every call, whatever the order of calls:

1. nobody waits for a key that has room (a limit that was raised counts from
   the next `leave` of that key);
2. no more than *queue* wait, over all keys;
3. a ticket is let in once at most, and only if it waited or has just entered.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, Literal, TypeAlias

from drawloom.policies.turns import Ticket, Turns

Verdict: TypeAlias = Literal["go", "wait", "full"]


class _Line(Generic[Ticket]):
    """Who is inside and who waits, for one key."""

    __slots__ = ("inside", "limit", "waiting")

    def __init__(self) -> None:
        self.inside = 0
        self.limit = 0
        self.waiting: Turns[Ticket] = Turns()


class Admission(Generic[Ticket]):
    """Waiting rooms by key that share one bounded queue of *queue* tickets."""

    def __init__(self, queue: int) -> None:
        self.queue = queue
        self._lines: dict[Hashable, _Line[Ticket]] = {}
        self._places: dict[Ticket, Hashable] = {}  # who waits, and for which key

    def enter(
        self,
        ticket: Ticket,
        key: Hashable,
        limit: int,
        priority: int = 0,
        group: Hashable = None,
    ) -> Verdict:
        """Come in, or wait for one of *limit* places; the limit told last counts.

        Raises `ValueError` for a limit below 1, and for a ticket that waits already.
        """
        if limit < 1:
            raise ValueError("a limit must be 1 or more")
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = _Line()
        line.limit = limit
        if line.inside < limit and not line.waiting:
            line.inside += 1
            return "go"
        if ticket in self._places:
            raise ValueError(f"ticket {ticket!r} waits already")
        if len(self._places) >= self.queue:
            return "full"
        line.waiting.add(ticket, priority, group)
        self._places[ticket] = key
        return "wait"

    def leave(self, key: Hashable) -> tuple[Ticket, ...]:
        """Give a place back; those who may come in now, in order. Their places are taken.

        Raises `ValueError` where nobody is inside.
        """
        line = self._lines.get(key)
        if line is None:
            raise ValueError(f"nobody is inside {key!r}")
        line.inside -= 1
        if not line.waiting:
            if not line.inside:
                del self._lines[key]
            return ()
        let_in: list[Ticket] = []
        while line.waiting and line.inside < line.limit:
            ticket = line.waiting.pop()
            del self._places[ticket]
            line.inside += 1
            let_in.append(ticket)
        return tuple(let_in)

    def withdraw(self, ticket: Ticket) -> bool:
        """Stop waiting. False for a ticket that does not wait: if it was let in, it must `leave`."""
        if ticket not in self._places:
            return False
        return self._lines[self._places.pop(ticket)].waiting.remove(ticket)

    @property
    def waiting(self) -> int:
        """How many tickets wait, over all keys."""
        return len(self._places)

    def inside(self, key: Hashable) -> int:
        """How many are inside *key*."""
        line = self._lines.get(key)
        return 0 if line is None else line.inside

    def __len__(self) -> int:
        """How many keys are in use."""
        return len(self._lines)
