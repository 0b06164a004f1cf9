"""Whose turn it is: higher priorities first, groups in turn, first come first served in a group."""

from __future__ import annotations

from bisect import insort
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Ticket = TypeVar("Ticket", bound=Hashable)


class Turns(Generic[Ticket]):
    """Tickets that wait. Falsy while nobody does; nothing is kept for a group that is gone."""

    __slots__ = ("_order", "_places", "_waiting")

    def __init__(self) -> None:
        self._order: list[int] = []  # the priorities that wait, negated: the highest is first
        self._waiting: dict[int, OrderedDict[Hashable, OrderedDict[Ticket, None]]] = {}
        self._places: dict[Ticket, tuple[int, Hashable]] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __bool__(self) -> bool:
        return bool(self._order)

    def add(self, ticket: Ticket, priority: int = 0, group: Hashable = None) -> None:
        """Wait. Raises `ValueError` for a ticket that waits already."""
        if ticket in self._places:
            raise ValueError(f"ticket {ticket!r} waits already")
        groups = self._waiting.get(priority)
        if groups is None:
            groups = self._waiting[priority] = OrderedDict()
            insort(self._order, -priority)
        groups.setdefault(group, OrderedDict())[ticket] = None
        self._places[ticket] = (priority, group)

    def pop(self) -> Ticket:
        """Whose turn it is; its group goes behind the others of its priority."""
        groups = self._waiting[-self._order[0]]
        group, tickets = next(iter(groups.items()))
        groups.move_to_end(group)
        ticket = next(iter(tickets))
        self.remove(ticket)
        return ticket

    def remove(self, ticket: Ticket) -> bool:
        """Stop waiting; False for a ticket that does not."""
        place = self._places.pop(ticket, None)
        if place is None:
            return False
        priority, group = place
        groups = self._waiting[priority]
        del groups[group][ticket]
        if not groups[group]:
            del groups[group]
        if not groups:
            del self._waiting[priority]
            self._order.remove(-priority)
        return True
