"""The waiting room against a model of it, for any order of coming, going and giving up."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from drawloom.policies.admission import Admission

QUEUE = 6


class Rooms(RuleBasedStateMachine):
    """The model keeps who waits as one list; the turn of a group is its last time of going."""

    def __init__(self) -> None:
        super().__init__()
        self.admission: Admission[int] = Admission(QUEUE)
        self.waiting: list[tuple[int, str, int, str]] = []  # ticket, key, priority, group
        self.inside: Counter[str] = Counter()
        self.limits: dict[str, int] = {}
        self.ever_in: set[int] = set()
        self.next = 0

    @rule(
        key=st.sampled_from("ab"),
        limit=st.integers(1, 3),
        priority=st.integers(-1, 1),
        group=st.sampled_from("xyz"),
    )
    def enter(self, key: str, limit: int, priority: int, group: str) -> None:
        ticket = self.next
        self.next += 1
        self.limits[key] = limit
        room = self.inside[key] < limit and not any(w[1] == key for w in self.waiting)
        expected = "go" if room else "full" if len(self.waiting) >= QUEUE else "wait"
        assert self.admission.enter(ticket, key, limit, priority, group) == expected
        if expected == "go":
            self.inside[key] += 1
            self.ever_in.add(ticket)
        elif expected == "wait":
            self.waiting.append((ticket, key, priority, group))

    @precondition(lambda self: any(self.inside.values()))
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(k for k, n in self.inside.items() if n)))
        self.inside[key] -= 1
        before = [w for w in self.waiting if w[1] == key]
        let_in = self.admission.leave(key)
        assert len(let_in) == min(len(before), max(0, self.limits[key] - self.inside[key]))
        for ticket in let_in:
            assert ticket not in self.ever_in
            self.ever_in.add(ticket)
            entry = next(w for w in before if w[0] == ticket)
            assert entry[2] == max(w[2] for w in before)
            same = [w for w in before if w[2:] == entry[2:]]
            assert ticket == min(w[0] for w in same)
            before.remove(entry)
            self.waiting.remove(entry)
            self.inside[key] += 1

    @precondition(lambda self: self.next)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        ticket = data.draw(st.integers(0, self.next - 1))
        waits = [w for w in self.waiting if w[0] == ticket]
        assert self.admission.withdraw(ticket) == bool(waits)
        for entry in waits:
            self.waiting.remove(entry)

    @invariant()
    def what_is_counted_is_true(self) -> None:
        assert self.admission.waiting == len(self.waiting) <= QUEUE
        for key in "ab":
            assert self.admission.inside(key) == self.inside[key]

    @invariant()
    def nothing_is_kept_for_a_key_that_nobody_uses(self) -> None:
        assert len(self.admission) == sum(1 for n in self.inside.values() if n)


TestRooms = Rooms.TestCase


def test_groups_take_turns_however_many_wait_in_one() -> None:
    room: Admission[str] = Admission(100)
    assert room.enter("inside", "k", 1) == "go"
    for n in range(5):
        room.enter(f"big{n}", "k", 1, group="big")
    for n in range(2):
        room.enter(f"small{n}", "k", 1, group="small")
    order = [room.leave("k")[0] for _ in range(7)]
    assert order == ["big0", "small0", "big1", "small1", "big2", "big3", "big4"]


def test_a_higher_priority_overtakes() -> None:
    room: Admission[str] = Admission(100)
    room.enter("inside", "k", 1)
    for name, priority in [("low", -5), ("usual", 0), ("high", 9), ("usual2", 0)]:
        assert room.enter(name, "k", 1, priority) == "wait"
    assert [room.leave("k")[0] for _ in range(4)] == ["high", "usual", "usual2", "low"]


def test_a_raised_limit_counts_from_the_next_leave() -> None:
    room: Admission[str] = Admission(100)
    room.enter("a", "k", 1)
    room.enter("b", "k", 1)
    room.enter("c", "k", 1)
    assert room.enter("d", "k", 3) == "wait"
    assert room.leave("k") == ("b", "c", "d")


def test_misuse_is_told() -> None:
    room: Admission[str] = Admission(100)
    with pytest.raises(ValueError, match="nobody is inside 'k'"):
        room.leave("k")
    with pytest.raises(ValueError, match="1 or more"):
        room.enter("a", "k", 0)
    room.enter("a", "k", 1)
    room.enter("b", "k", 1)
    with pytest.raises(ValueError, match="waits already"):
        room.enter("b", "k", 1)
