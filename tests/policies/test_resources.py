"""Admission: never more than there is, nobody overtaken, nobody forgotten."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from drawloom.policies import Admission, Answer

CALLS, MEMORY, WAITING = 3, 100, 4


class Admitting(RuleBasedStateMachine):
    """Against a model that says only what is going on, and who waits in which order."""

    def __init__(self) -> None:
        super().__init__()
        self.admission = Admission(CALLS, MEMORY, WAITING)
        self.going: dict[int, int] = {}
        self.queue: list[tuple[int, int]] = []
        self.numbers = 0

    @rule(memory=st.integers(1, MEMORY + 20))
    def ask(self, memory: int) -> None:
        self.numbers += 1
        answer = self.admission.ask(self.numbers, memory)
        if memory > MEMORY:
            assert answer is Answer.NEVER
        elif not self.queue and self.fits(memory):
            assert answer is Answer.GO
            self.going[self.numbers] = memory
        elif len(self.queue) == WAITING:
            assert answer is Answer.FULL
        else:
            assert answer is Answer.WAIT
            self.queue.append((self.numbers, memory))

    @precondition(lambda self: self.going)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        call = data.draw(st.sampled_from(sorted(self.going)))
        del self.going[call]
        self.begun(self.admission.leave(call))

    @precondition(lambda self: self.queue)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        waiting = data.draw(st.sampled_from(self.queue))
        self.queue.remove(waiting)
        self.begun(self.admission.leave(waiting[0]))

    def begun(self, calls: list[int]) -> None:
        for call in calls:
            first, memory = self.queue.pop(0)
            assert call == first
            self.going[call] = memory

    def fits(self, memory: int) -> bool:
        return len(self.going) < CALLS and sum(self.going.values()) + memory <= MEMORY

    @invariant()
    def there_is_room_for_all_that_goes_on(self) -> None:
        assert len(self.going) <= CALLS
        assert self.admission.used == sum(self.going.values()) <= MEMORY

    @invariant()
    def nobody_waits_while_there_is_room(self) -> None:
        assert self.admission.waiting == len(self.queue)
        assert not self.queue or not self.fits(self.queue[0][1])


TestAdmitting = Admitting.TestCase


@given(st.lists(st.integers(1, 1 << 40), max_size=10))
def test_without_a_limit_only_the_number_of_calls_counts(sizes: list[int]) -> None:
    admission = Admission(100)
    assert all(admission.ask(n, size) is Answer.GO for n, size in enumerate(sizes))
