"""Take up what a dead process left: replay each unfinished run, and go on.

Replaying feeds the journaled events to a new kernel. A call without an answer
comes back as LOST; the effect table then says whether it is made again or
stops as `unknown`. Timers are absolute, so a rest that is over ends at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import apsw

from drawloom.chains.compiling import compile_chain
from drawloom.chains.loading import chain_of
from drawloom.chains.plan import Plan, ToolSpec
from drawloom.dataflow.expressions import REPLAY
from drawloom.dataflow.large_values import Shelf
from drawloom.db import queries
from drawloom.drivers.embedded.codec import NO_PAYLOADS, call_digest
from drawloom.drivers.embedded.event_codec import event_of
from drawloom.errors import JournalMismatch
from drawloom.kernel import (
    CallTool,
    Evaluate,
    Event,
    Run,
)
from drawloom.kernel.messages import Admit

_SQL = queries("journal")


class PlanShelf:
    """Plans by their digest, compiled from what was stored when a run began."""

    def __init__(self, db: apsw.Connection, find_tool: Callable[[str], ToolSpec]) -> None:
        self._db = db
        self._find_tool = find_tool
        self._plans: dict[str, Plan] = {}

    def get(self, digest: str) -> Plan:
        """The plan. Raises `JournalMismatch` where it cannot be had again as it was."""
        if digest not in self._plans:
            self._plans[digest] = self._compiled(digest)
        return self._plans[digest]

    def _compiled(self, digest: str) -> Plan:
        row = self._db.execute(_SQL["plan"], (digest,)).fetchone()
        if row is None:
            raise JournalMismatch(f"the store holds no plan {digest}")
        chain, version, document, effects, children = row
        plan = compile_chain(
            chain_of(json.loads(document)),
            self._find_tool,
            json.loads(effects),
            children={name: self.get(part) for name, part in json.loads(children).items()},
        )
        if plan.digest != digest:
            raise JournalMismatch(
                f"chain {chain} {version} compiles to another plan than the one that the run "
                "began with; use the Drawloom that began it, or cancel the run"
            )
        return plan


def journaled(
    db: apsw.Connection, number: int, shelf: Shelf
) -> Iterator[tuple[Event, str | None, bytes | None]]:
    """`(event, call, digest of the call)` of one run, in order."""
    load = payloads_of(db, number)
    for row in db.execute(_SQL["events_of_run"], (number, 0)):
        _, _, at, kind, call, digest, body, refs, *_ = row
        yield event_of(kind, call, at, body, refs, load, shelf), call, digest


def payloads_of(db: apsw.Connection, number: int) -> Callable[[bytes], str]:
    """Gives the JSON of a run's payload by its digest."""

    def load(digest: bytes) -> str:
        row = db.execute(_SQL["payload"], (number, digest)).fetchone()
        if row is None:
            raise JournalMismatch(f"run {number}: payload {digest.hex()} is missing")
        return str(row[0])

    return load


class Replayed:
    """A run as its journal left it."""

    def __init__(self, run_id: str, plan: Plan) -> None:
        self.run = Run(plan, run_id, budget=REPLAY)
        self.seq = 0
        self.started_at = 0
        self.calls: dict[str, CallTool] = {}  # dispatched, not answered
        self.admit: Admit | None = None
        self._evaluations: dict[str, Evaluate] = {}

    def feed(self, event: Event, call: str | None, digest: bytes | None) -> None:
        """Receive one journaled event. Raises `JournalMismatch` if it is not of this plan."""
        self.seq += 1
        self.started_at = self.started_at or event.at
        answered = self.calls.pop(call, None) if call is not None else None
        # Items of a stream are not in the journal, and so neither is what was made of them.
        life = self.run.calls.get(call) if call is not None else None
        if digest is not None and (life is None or life.args is not None):
            if answered is None:
                raise JournalMismatch(
                    f"run {self.run.run_id}: event {self.seq} answers {call}, "
                    "which this plan never calls there"
                )
            if call_digest(answered, NO_PAYLOADS) != digest:
                raise JournalMismatch(
                    f"run {self.run.run_id}: event {self.seq} answers {call} with another tool or "
                    "other arguments than this plan gives it"
                )
        for command in self.run.receive(event):
            if isinstance(command, CallTool):
                self.calls[command.call] = command
            elif isinstance(command, Admit):
                self.admit = command
            elif isinstance(command, Evaluate):
                self._evaluations[command.place] = command

    @property
    def open_evaluations(self) -> list[Evaluate]:
        """Evaluations that were under way: they change nothing, and are asked for again."""
        return [self._evaluations[place] for place in self.run.evaluations]


def replay(db: apsw.Connection, shelf: Shelf, run_id: str, number: int, plan: Plan) -> Replayed:
    """Feed a run's whole journal to a new kernel."""
    replayed = Replayed(run_id, plan)
    for event, call, digest in journaled(db, number, shelf):
        replayed.feed(event, call, digest)
    return replayed
