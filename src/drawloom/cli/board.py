"""What is known of a run under way, worked out from its facts: the model behind the progress."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from drawloom.facts import (
    BreakerChanged,
    CallQueued,
    CallStarted,
    Fact,
    InstanceChanged,
    PoolChanged,
    RunEnded,
    RunStalled,
    StepEnded,
    ToolCall,
)


def now() -> int:
    """Microseconds since 1970 (UTC)."""
    return time.time_ns() // 1000


@dataclass(slots=True)
class Row:
    """One step."""

    name: str
    tool: str
    status: str = "waiting"
    attempts: int = 0
    began: int | None = None
    ended: int | None = None
    total: int | None = None
    note: str = ""
    queued: str = ""  # what its last call had to wait for
    items: set[int] = field(default_factory=set)  # those that have succeeded

    @property
    def done(self) -> int:
        """Items that have succeeded."""
        return len(self.items)

    def elapsed(self, at: int) -> float | None:
        """Seconds from the first call to the end, or to *at*."""
        return None if self.began is None else max(0, (self.ended or at) - self.began) / 1_000_000


class Board:
    """The steps of one run. `take` is given each fact; those of other runs change nothing."""

    def __init__(self, run: str, chain: str, tools: Mapping[str, str]) -> None:
        self.run = run
        self.chain = chain
        self.rows = {name: Row(name, tool) for name, tool in tools.items()}
        self.status = "running"
        self.began = now()

    def take(self, fact: Fact) -> Row | None:
        """Take a fact; the row that it changed is given back."""
        if isinstance(fact, BreakerChanged | InstanceChanged | PoolChanged):
            return None
        if fact.run != self.run:
            return None
        if isinstance(fact, RunEnded):
            self.status = fact.status
        elif isinstance(fact, RunStalled):
            self.status = "unknown" if fact.calls else "waiting"
        elif isinstance(fact, CallStarted | CallQueued | ToolCall | StepEnded):
            # What undoes a step is no step of the chain, and gets a row when it begins.
            row = self.rows.setdefault(fact.step, Row(fact.step, getattr(fact, "tool", "")))
            return self._changed(row, fact)
        return None

    def _changed(self, row: Row, fact: CallStarted | CallQueued | ToolCall | StepEnded) -> Row:
        if isinstance(fact, CallStarted):
            row.status, row.attempts = "running", max(row.attempts, fact.attempt)
            row.began = row.began or fact.at
            row.total = fact.total if fact.total is not None else row.total
            row.queued = ""
        elif isinstance(fact, CallQueued):
            row.queued = queued_for(fact)
        elif isinstance(fact, StepEnded):
            row.status, row.ended = fact.status, fact.at
            row.note = "" if fact.status == "succeeded" else row.note
            row.queued = ""
        elif fact.failure is not None:
            where = "" if fact.item is None else f"item {fact.item}, "
            row.note = f"{where}attempt {fact.attempt}: {fact.failure}"
            row.status = "resting" if fact.item is None else row.status
        elif fact.item is not None:
            row.items.add(fact.item)
        elif fact.cached:
            row.began = row.began or fact.at
        return row

    def count(self, *statuses: str) -> int:
        """How many steps have one of *statuses*."""
        return sum(row.status in statuses for row in self.rows.values())


def queued_for(fact: CallQueued) -> str:
    """What a call has to wait for, in words."""
    named = {
        "connection": f"a place on connection {fact.connection}",
        "tool": f"a place of {fact.tool}",
        "chain": "a place of the chain",
        "all": "a place",
        "rate": "the rate limit" + (f" of {fact.connection}" if fact.connection else ""),
    }
    return f"queued for {named[fact.limit]}"


def told(fact: BreakerChanged | InstanceChanged) -> str:
    """What has changed for all runs, in one line."""
    if isinstance(fact, BreakerChanged):
        on = f" on {fact.connection}" if fact.connection else ""
        return f"breaker of {fact.tool}{on}: {fact.state}"
    of = f" for {fact.tool}" if fact.tool else ""
    stands = "left out" if fact.state == "ejected" else "used again"
    return f"instance {fact.instance}: {stands}{of} ({fact.why})"
