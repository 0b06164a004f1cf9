"""Turns against a model of them: priorities first, groups in turn, first come in a group."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from drawloom.policies.rate_limit import RateLimit, RateRule
from drawloom.policies.turns import Turns

waiters = st.lists(st.tuples(st.integers(-2, 2), st.sampled_from("abc")), min_size=1, max_size=25)


class Waiting(RuleBasedStateMachine):
    """The model is one list of groups for each priority, each a list of tickets."""

    def __init__(self) -> None:
        super().__init__()
        self.turns: Turns[int] = Turns()
        self.model: dict[int, list[tuple[str, list[int]]]] = {}
        self.next = 0

    @rule(priority=st.integers(-2, 2), group=st.sampled_from("abc"))
    def add(self, priority: int, group: str) -> None:
        self.turns.add(self.next, priority, group)
        groups = self.model.setdefault(priority, [])
        for name, tickets in groups:
            if name == group:
                tickets.append(self.next)
                break
        else:
            groups.append((group, [self.next]))
        self.next += 1

    @precondition(lambda self: self.model)
    @rule()
    def pop(self) -> None:
        groups = self.model[max(self.model)]
        group, tickets = groups.pop(0)
        assert self.turns.pop() == tickets.pop(0)
        if tickets:
            groups.append((group, tickets))
        self._tidy()

    @precondition(lambda self: self.next)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        ticket = data.draw(st.integers(0, self.next - 1))
        waits = False
        for groups in self.model.values():
            for _, tickets in groups:
                if ticket in tickets:
                    tickets.remove(ticket)
                    waits = True
        assert self.turns.remove(ticket) == waits
        self._tidy()

    def _tidy(self) -> None:
        kept = {p: [g for g in groups if g[1]] for p, groups in self.model.items()}
        self.model = {p: groups for p, groups in kept.items() if groups}

    @invariant()
    def as_many_wait(self) -> None:
        count = sum(len(tickets) for groups in self.model.values() for _, tickets in groups)
        assert len(self.turns) == count
        assert bool(self.turns) == bool(count)


TestWaiting = Waiting.TestCase


@given(waiters)
def test_no_group_goes_twice_while_another_of_its_priority_waits(
    who: list[tuple[int, str]],
) -> None:
    turns: Turns[int] = Turns()
    for ticket, (priority, group) in enumerate(who):
        turns.add(ticket, priority, group)
    went = [who[turns.pop()] for _ in who]
    assert [priority for priority, _ in went] == sorted((p for p, _ in who), reverse=True)
    for at, (this, following) in enumerate(pairwise(went)):
        if this == following:  # only where nobody else of that priority is left
            assert {each for each in went[at:] if each[0] == this[0]} == {this}


@given(waiters, st.sampled_from([0.5, 3.0]))
def test_the_rate_lets_the_highest_priority_go_first(
    who: list[tuple[int, str]], per_second: float
) -> None:
    limit: RateLimit[int] = RateLimit(RateRule(per_second), queue=100)
    assert limit.enter(-1, 0.0) == "go"
    for ticket, (priority, group) in enumerate(who):
        assert limit.enter(ticket, 0.0, priority, group) == "wait"
    went, now, wait = list[int](), 0.0, limit.due(0.0)[1]
    while wait is not None:
        now += wait
        due, wait = limit.due(now)
        went += due
    assert [who[ticket][0] for ticket in went] == sorted((p for p, _ in who), reverse=True)
    same: dict[tuple[int, str], list[int]] = {}
    for ticket in went:
        same.setdefault(who[ticket], []).append(ticket)
    assert all(tickets == sorted(tickets) for tickets in same.values())
