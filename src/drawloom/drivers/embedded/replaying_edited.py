"""Rehearse an edited chain with the answers of a recorded run, in their recorded order."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection

from drawloom.chains.plan import Plan
from drawloom.dataflow.expressions import FULL
from drawloom.drivers.embedded.replaying import Differences, answers, digest_of
from drawloom.drivers.embedded.store import StoredEvent, step_of
from drawloom.errors import JournalMismatch
from drawloom.kernel import (
    CallFailed,
    CallSucceeded,
    CallTool,
    CancelRequested,
    Command,
    Event,
    Resolved,
    Run,
    SetTimer,
    Started,
    TimerFired,
)

_LAST = 1 << 62  # a place after all that is recorded


class Rehearsal:
    """A kernel that is given recorded answers. Nothing is called; time is the recorded time."""

    def __init__(
        self,
        plan: Plan,
        run_id: str,
        events: tuple[StoredEvent, ...],
        in_flight: Collection[str],
        found: Differences,
    ) -> None:
        # Offline there is no loop to block: expressions get all that they may use.
        self.run = Run(plan, run_id, budget=FULL)
        self._events = events
        self._in_flight = in_flight  # calls that the record has no answer to, either
        self._unanswered: dict[str, str] = {}
        self._found = found
        self._by_call = {event.call: event for event in answers(events)}
        self._by_digest: dict[bytes | None, deque[StoredEvent]] = defaultdict(deque)
        for event in answers(events):
            self._by_digest[event.digest].append(event)
        self._rests = {e.call: e.seq for e in events if isinstance(e.event, TimerFired)}
        self._used: set[int] = set()
        self._ready: list[tuple[int, Event]] = []  # (recorded place, answer)
        self._asked = [e for e in events if isinstance(e.event, (CancelRequested, Resolved))]
        self._at = 0

    def done(self) -> Run:
        """Go on until the run is over, or no recorded answer fits any more."""
        started = self._events[0].event if self._events else None
        if not isinstance(started, Started):
            raise JournalMismatch("the journal of the run does not begin with its start")
        accepted = self.run.plan.accept_input(started.input)
        self._receive(Started(accepted, started.at))
        while self.run.finished is None and (event := self._next()) is not None:
            self._receive(event)
        for call, step in self._unanswered.items():
            if call in self.run.calls and call not in self._in_flight:
                why = f"{call} was never called: there is no recorded answer"
                self._found.add(step, why)
        return self.run

    def _receive(self, event: Event) -> None:
        self._at = max(self._at, event.at)
        for command in self.run.receive(event):
            self._carry_out(command)

    def _carry_out(self, command: Command) -> None:
        if isinstance(command, SetTimer):
            self._rest(command)
        elif isinstance(command, CallTool):
            self._answer(command)

    def _rest(self, command: SetTimer) -> None:
        """A rest ends where it is recorded to; one that never did ends after all else."""
        if command.call in self._in_flight:
            return
        place = self._rests.get(command.call)
        if place is None:
            place = _LAST if command.call in self._by_call else self._place()
        self._ready.append((place, TimerFired(command.call, command.due)))

    def _answer(self, command: CallTool) -> None:
        step, digest = command.step.name, digest_of(command)
        recorded = self._by_call.get(command.call)
        if recorded is not None and recorded.digest != digest:
            self._found.add(step, f"{command.call} is called with another tool or other arguments")
        if recorded is None or recorded.seq in self._used:
            recorded = self._alike(digest)
        if recorded is None:
            self._unanswered[command.call] = step
            return
        self._used.add(recorded.seq)
        self._ready.append((recorded.seq, _renamed(recorded.event, command.call)))

    def _alike(self, digest: bytes) -> StoredEvent | None:
        """The recorded answer to the same call under another name, as after a renaming."""
        alike = self._by_digest[digest]
        while alike:
            event = alike.popleft()
            if event.seq not in self._used:
                return event
        return None

    def _next(self) -> Event | None:
        """The answer that was recorded first, or what a person did before it."""
        first = min(self._ready, key=lambda item: item[0], default=None)
        if self._asked and (first is None or self._asked[0].seq < first[0]):
            asked = self._asked.pop(0)
            self._used.add(asked.seq)
            return asked.event
        if first is None:
            return None
        self._ready.remove(first)
        return first[1]

    def _place(self) -> int:
        """Just after what came last, so that a new rest ends before later answers."""
        return max(self._used, default=0)


def _renamed(event: Event, call: str) -> Event:
    if isinstance(event, CallSucceeded):
        return CallSucceeded(call, event.output, event.at)
    if isinstance(event, CallFailed):
        return CallFailed(call, event.failure, event.at)
    raise JournalMismatch(f"the journal has no answer for {step_of(call)}")
