"""Read a state directory beside the engine that writes it: runs, events, and how steps stand.

Nothing here writes, and no engine need be running. A run's steps are not
stored: they are worked out by replaying its journal.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias

import apsw

from drawloom.chains.plan import ToolSpec
from drawloom.dataflow.large_values import LargeValue, plain
from drawloom.db import connect_reader, queries
from drawloom.doors.blobs import BlobFolder
from drawloom.drivers.embedded.blobs import FOLDER, Blobs
from drawloom.drivers.embedded.codec import failure_from, restored
from drawloom.drivers.embedded.event_codec import event_of
from drawloom.drivers.embedded.recovery import PlanShelf, Replayed
from drawloom.drivers.embedded.state import STORE, owner_of
from drawloom.drivers.embedded.store_costs import Metrics, costs_of
from drawloom.drivers.results import StepResult, step_result
from drawloom.errors import Failure, JournalMismatch, StateUnusable, ValueInvalid
from drawloom.kernel import CallSucceeded, Event, Run, Started

_SQL = queries("journal")
_EVERY = 0.1  # seconds between looks of `follow`
_AFTER_ALL = 1 << 62
_MOST = 10_000

RunStatus: TypeAlias = Literal[
    "queued", "running", "waiting", "unknown", "succeeded", "failed", "cancelled"
]
OVER = frozenset({"succeeded", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run as the store has it. Instants are microseconds since 1970 (UTC).

    `number` grows with each run of a store. `output` is only filled in by
    `Store.run`; a list of runs leaves it out.
    """

    number: int
    id: str
    chain: str
    plan: str
    status: RunStatus
    started_at: int
    ended_at: int | None
    bindings: Mapping[str, str]
    failure: Failure | None = None
    output: Any = None

    @property
    def over(self) -> bool:
        """Whether the status is final."""
        return self.status in OVER

    @property
    def seconds(self) -> float | None:
        """From start to end; None while it is not over."""
        return None if self.ended_at is None else (self.ended_at - self.started_at) / 1_000_000


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One row of the journal. `wall` and `cpu` are in microseconds; sizes in bytes."""

    seq: int
    at: int
    kind: str
    call: str | None
    digest: bytes | None
    event: Event
    wall: int | None = None
    cpu: int | None = None
    bytes_in: int | None = None
    bytes_out: int | None = None
    peak_memory: int | None = None

    @property
    def step(self) -> str | None:
        """The step that a call id or a place belongs to."""
        return None if self.call is None else step_of(self.call)


@dataclass(frozen=True, slots=True)
class StoredStep:
    """How a step of a stored run stands, and what its calls cost."""

    name: str
    tool: str
    result: StepResult
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class History:
    """A run worked out from its journal."""

    version: str
    steps: Mapping[str, StoredStep]
    unknown: tuple[str, ...]  # calls that wait for a person
    waits: tuple[str, ...]  # calls of signals and approvals to come
    run: Run
    events: tuple[StoredEvent, ...]


@dataclass(frozen=True, slots=True)
class Child:
    """A run that another one started, by the call that it answers."""

    id: str
    call: str
    status: str
    chain: str


@dataclass(frozen=True, slots=True)
class Family:
    """The run that started one (None where a person did), and those that it started."""

    parent: str | None
    call: str | None
    children: tuple[Child, ...]


class Store:
    """A read-only view of a state directory. A context manager.

    Raises `StateUnusable` where there is no store, or one of another version.
    """

    def __init__(self, state: Path) -> None:
        self.state = state
        self._db = _opened(state / STORE)
        self._blobs = Blobs(BlobFolder(state / FOLDER))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.close()

    @property
    def db(self) -> apsw.Connection:
        """The read-only connection."""
        return self._db

    def list(
        self,
        status: str | None = None,
        chain: str | None = None,
        limit: int = 50,
        before: int | None = None,
    ) -> tuple[RunRecord, ...]:
        """Runs, the latest first; *before* is the `number` of the last one seen, for paging."""
        most = max(1, min(limit, _MOST))
        rows = self._db.execute(_SQL["runs"], (status, chain, before or _AFTER_ALL, most))
        return tuple(_record(row) for row in rows)

    def has(self, id: str) -> bool:
        """Whether there is a run of just this id."""
        return self._db.execute(_SQL["run"], (id,)).fetchone() is not None

    def find(self, id: str) -> str:
        """The id that *id*, or a prefix of just one, stands for. Raises `ValueInvalid`."""
        if self.has(id):
            return id
        found = [row[0] for row in self._db.execute(_SQL["run_by_prefix"], (id,))] if id else []
        found = [known for known in found if known.startswith(id)]
        if not found:
            raise ValueInvalid(f"there is no run {id!r} here; `drawloom runs list` lists them")
        if len(found) > 1:
            more = ", …" if len(found) > 2 else ""
            raise ValueInvalid(f"more than one run begins with {id!r}: {', '.join(found)}{more}")
        return str(found[0])

    def run(self, id: str) -> RunRecord:
        """The run, with its output. *id* may be a prefix. Raises `ValueInvalid`."""
        row: Any = self._db.execute(_SQL["run"], (self.find(id),)).fetchone()
        return self._whole(row)

    def _whole(self, row: Any) -> RunRecord:
        output = restored(row[8], row[9], self._load(row[0]), self._blobs)
        return replace(_record(row), output=plain(output))

    def document(self, record: RunRecord) -> Mapping[str, Any]:
        """The chain's document, as it was when the run began."""
        row = self._db.execute(_SQL["plan"], (record.plan,)).fetchone()
        if row is None:
            raise JournalMismatch(f"the store holds no plan {record.plan}")
        return dict(json.loads(row[2]))

    def events(
        self, record: RunRecord, after: int = 0, *, outside: bool = False
    ) -> tuple[StoredEvent, ...]:
        """The journal of a run from the sequence number *after* on.

        With *outside*, large values stay outside until they are read, as a kernel has them.
        """
        load = self._load(record.number)
        rows = self._db.execute(_SQL["events_of_run"], (record.number, after)).fetchall()
        found = tuple(_event(row, load, self._blobs) for row in rows)
        return found if outside else tuple(map(_loaded, found))

    def history(self, record: RunRecord, find_tool: Callable[[str], ToolSpec]) -> History:
        """Work the run out from its journal. Raises `JournalMismatch`, or what a tool's
        absence raises: a run of a chain whose tools are gone cannot be worked out."""
        plan = PlanShelf(self._db, find_tool).get(record.plan)
        replayed = Replayed(record.id, plan)
        events = self.events(record, outside=True)
        for event in events:
            replayed.feed(event.event, event.call, event.digest)
        run, costs = replayed.run, costs_of(events)
        steps = {
            life.step.name: StoredStep(
                life.step.name,
                life.step.tool,
                step_result(run, life),
                costs.get(life.step.name, Metrics()),
            )
            for life in run.lives
        }
        return History(plan.version, steps, run.unknown_calls, tuple(run.waits), run, events)

    def family(self, record: RunRecord) -> Family:
        """Which run started this one, and which it started."""
        row: Any = self._db.execute(_SQL["family"], (record.id,)).fetchone()
        children = self._db.execute(_SQL["children"], (record.id,)).fetchall()
        return Family(row[1], row[2], tuple(Child(*map(str, child)) for child in children))

    def follow(self, id: str, after: int = 0, poll: float = _EVERY) -> Iterator[StoredEvent]:
        """The events of a run as they come, until it is over or waits for a person.

        Ends, too, when no process has the state directory: then nothing will come.
        """
        run_id = self.find(id)
        while True:
            # Looked at before the events, so that none which came before its word is missed.
            record, owned = self.run(run_id), owner_of(self.state) is not None
            for event in self.events(record, after):
                after = event.seq
                yield event
            if record.status not in ("queued", "running") or not owned:
                return
            time.sleep(poll)

    def _load(self, number: int) -> Callable[[bytes], str]:
        def load(digest: bytes) -> str:
            row = self._db.execute(_SQL["payload"], (number, digest)).fetchone()
            if row is None:
                raise StateUnusable(
                    f"run {number}: payload {digest.hex()} is missing; run `drawloom doctor`"
                )
            return str(row[0])

        return load


def open_bindings(path: Path) -> frozenset[str]:
    """The connections that unfinished runs of the store at *path* use; none if there is no store."""
    if not path.exists():
        return frozenset()
    try:
        db = _opened(path)
    except StateUnusable:
        return frozenset()  # of another version, or damaged: the engine says so, or migrates it
    try:
        rows: Any = db.execute(_SQL["open_runs"]).fetchall()
    finally:
        db.close()
    return frozenset(name for row in rows for name in json.loads(row[6]).values())


def _opened(path: Path) -> apsw.Connection:
    try:
        return connect_reader(path)
    except apsw.Error as exc:
        raise StateUnusable(f"{path} cannot be read: {exc}; `drawloom doctor` says more") from None


def step_of(call: str) -> str:
    """The step of a call id (`tell[7]#2`) or of a place (`tell?when`)."""
    return call.partition("#")[0].partition("?")[0].partition("[")[0]


def _record(row: Any) -> RunRecord:
    number, id, chain, plan, status, started_at, ended_at, bindings, _, _, failure = row
    return RunRecord(
        number,
        id,
        chain,
        plan,
        status,
        started_at,
        ended_at,
        json.loads(bindings),
        None if failure is None else failure_from(json.loads(failure)),
    )


def _loaded(stored: StoredEvent) -> StoredEvent:
    event = stored.event
    if isinstance(event, CallSucceeded) and isinstance(event.output, LargeValue):
        return replace(stored, event=CallSucceeded(event.call, event.output.load(), event.at))
    if isinstance(event, Started) and isinstance(event.input, LargeValue):
        return replace(stored, event=Started(event.input.load(), event.at))
    return stored


def _event(row: Any, load: Callable[[bytes], str], blobs: Blobs) -> StoredEvent:
    _, seq, at, kind, call, digest, body, refs, *costs = row
    return StoredEvent(
        seq, at, kind, call, digest, event_of(kind, call, at, body, refs, load, blobs), *costs
    )


__all__ = [
    "OVER",
    "History",
    "Metrics",
    "RunRecord",
    "RunStatus",
    "Store",
    "StoredEvent",
    "StoredStep",
    "open_bindings",
    "step_of",
]
