"""The embedded engine: one process, SQLite files, nothing else.

    async with Engine(catalogue, state=Path(".drawloom")) as engine:
        result = await engine.run(plan, {"days": 3})

Durability: `full` (each answer that an effect rests on is synced to disk
first), `relaxed` (the operating system decides when; a power failure may lose
the last moments, a crash of the process does not), `memory` (nothing is kept).
"""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias

import apsw

from drawloom.chains.plan import Plan
from drawloom.dataflow.expressions import INLINE
from drawloom.dataflow.values import encode_value
from drawloom.db import connect_reader, connect_writer, queries
from drawloom.doors import Doors
from drawloom.drivers.embedded import requests, retention
from drawloom.drivers.embedded.clock import now
from drawloom.drivers.embedded.codec import Payloads
from drawloom.drivers.embedded.journal import Journal
from drawloom.drivers.embedded.pump import Pump
from drawloom.drivers.embedded.recovery import PlanShelf, Replayed, replay
from drawloom.drivers.embedded.runner import Runner
from drawloom.drivers.embedded.state import STORE, Ownership
from drawloom.drivers.resolving import Resolution, resolved
from drawloom.drivers.results import Result
from drawloom.errors import Failure, FailureKind, StateUnusable, ValueInvalid
from drawloom.facts import Sink
from drawloom.kernel import (
    AwaitResolution,
    CallFailed,
    CancelRequested,
    Run,
    Started,
)
from drawloom.runtime import Catalogue, Clients, Hands, StoredConnection

Durability: TypeAlias = Literal["full", "relaxed", "memory"]

_SQL = queries("journal")
_REMEMBERED = 10_000  # chosen ids, where no store knows them


class Engine:
    """Runs chains in this process. An async context manager; opening it recovers.

    *state* is the state directory, which this process then owns; it is not
    touched with durability `memory`. *keep_days* is how long runs that ended are kept.
    *recover* may name the unfinished runs to take up; the others then stay as they are.
    """

    def __init__(
        self,
        catalogue: Catalogue | None = None,
        connections: Mapping[str, StoredConnection] | None = None,
        *,
        state: Path | str | None = None,
        durability: Durability = "full",
        doors: Doors | None = None,
        keep_days: float = 30.0,
        recover: bool | Collection[str] = True,
    ) -> None:
        if durability != "memory" and state is None:
            raise StateUnusable("an engine that keeps its runs needs a state directory")
        self.catalogue = catalogue or Catalogue()
        self.connections = dict(connections or {})
        self.state = None if state is None or durability == "memory" else Path(state)
        self.durability = durability
        self.recovered: tuple[str, ...] = ()
        self.unrecovered: dict[str, str] = {}  # run -> why it cannot go on
        self._doors = doors or Doors()
        self._keep_days = keep_days
        self._recover = recover
        self._ownership: Ownership | None = None
        self._db: apsw.Connection | None = None
        self._reader: apsw.Connection | None = None
        self._given: OrderedDict[str, None] = (
            OrderedDict()
        )  # ids that were chosen by who started a run
        self._stored: set[str] = set()  # digests of plans that are in the store
        self._numbers = 0
        self._requests: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        hands = Hands(Clients(self.catalogue, self.connections, self._doors))
        self._pump = Pump(hands, None)
        if self.state is not None:
            self._ownership = Ownership(self.state).__enter__()
            try:
                self._open_store(self.state)
            except BaseException:
                await self.__aexit__(None, None, None)
                raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._requests is not None:
            self._requests.cancel()
        await self._pump.aclose()
        if self._pump.journal is not None:
            await self._pump.journal.aclose()
        for db in (self._reader, self._db):
            if db is not None:
                db.close()
        if self._ownership is not None:
            self._ownership.__exit__(None, None, None)

    # -- runs --------------------------------------------------------------------

    async def start(
        self,
        plan: Plan,
        input: Mapping[str, Any] | None = None,
        *,
        run_id: str | None = None,
        bindings: Mapping[str, str] | None = None,
    ) -> str:
        """Begin a run; its id is given back once the start is durable.

        Raises `ValueInvalid` for input that does not fit, naming the field, and
        `StateUnusable` where the store cannot be written.
        """
        runner = self._start(plan, input, run_id, bindings)
        await self._pump.until_durable(runner.lsn)
        return runner.run_id

    async def run(
        self,
        plan: Plan,
        input: Mapping[str, Any] | None = None,
        *,
        run_id: str | None = None,
        bindings: Mapping[str, str] | None = None,
        acknowledge: Callable[[str], None] | None = None,
    ) -> Result:
        """Begin a run and wait until it has ended, or waits for a person.

        *acknowledge* is called with its id once the start is durable.
        """
        runner = self._start(plan, input, run_id, bindings)
        if acknowledge is not None:
            await self._pump.until_durable(runner.lsn)
            acknowledge(runner.run_id)
        await runner.ended()
        return Result(runner.run)

    async def wait(self, run_id: str) -> Result:
        """Wait until a run has ended, or waits for a person; at once if it has.

        A store knows all runs that it keeps; in memory only the last 64 are remembered.
        """
        runner = self._pump.runners.get(run_id)
        if runner is None:
            return self._ended(run_id)
        await runner.ended()
        return Result(runner.run)

    async def cancel(self, run_id: str, reason: str = "asked to stop") -> None:
        """Ask a run to stop. Clean-up steps still run; `wait` tells the end."""
        self._pump.post(self._runner(run_id), CancelRequested(reason, now()))
        await asyncio.sleep(0)  # the run takes it before anybody waits for its end

    async def resolve(
        self,
        run_id: str,
        call: str,
        outcome: Resolution,
        output: Any = None,
        message: str = "",
    ) -> None:
        """Say how a call with an unknown outcome ended, or have it made again.

        Raises `ValueInvalid` where the run does not wait for that call, or
        *output* does not fit the tool's output schema.
        """
        runner = self._runner(run_id)
        self._pump.resolve(runner, resolved(runner.run, call, outcome, now(), output, message))
        await asyncio.sleep(0)

    async def flush(self) -> None:
        """Wait until everything that has happened so far is on disk."""
        if self._pump.journal is not None:
            await self._pump.journal.drained()

    def active(self) -> tuple[str, ...]:
        """The runs that are under way or wait for a person."""
        return tuple(self._pump.runners)

    def watch(self, sink: Sink) -> None:
        """Have every fact from now on given to *sink*, on the event loop."""
        self._pump.watch(sink)

    def _ended(self, run_id: str) -> Result:
        """The result of a run that is over: remembered, or replayed from the store."""
        if (run := self._pump.ended.get(run_id)) is not None:
            return Result(run)
        row = self._row(run_id)
        if row is None or self._reader is None:
            raise ValueInvalid(f"there is no run {run_id!r} here")
        number, _, _, digest, *_ = row
        shelf = PlanShelf(self._reader, self.catalogue.find)
        return Result(replay(self._reader, run_id, number, shelf.get(digest)).run)

    def _row(self, run_id: str) -> Any:
        """The store's row of a run; None where it has none."""
        if self.state is None:
            return None
        if self._reader is None:
            # The writing connection belongs to the journal's thread.
            self._reader = connect_reader(self.state / STORE)
        return self._reader.execute(_SQL["run"], (run_id,)).fetchone()

    # -- starting ----------------------------------------------------------------

    def _start(
        self,
        plan: Plan,
        given: Mapping[str, Any] | None,
        run_id: str | None,
        bindings: Mapping[str, str] | None,
    ) -> Runner:
        if self._pump.broken is not None:
            raise self._pump.broken
        accepted = encode_value(plan.accept_input(given))
        if run_id is None:
            run_id = new_run_id()
        elif self._is_taken(run_id):
            raise ValueInvalid(f"there is already a run {run_id!r}")
        self._numbers += 1
        runner = self._made(run_id, self._numbers, plan, Run(plan, run_id), bindings)
        runner.started_at = started_at = now()
        journal = self._pump.journal
        if journal is not None:
            self._store_plan(plan)
            bound = json.dumps(runner.bindings) if bindings else "{}"
            named = (runner.number, run_id, plan.name, plan.digest)
            journal.run((*named, "running", started_at, bound))
        self._pump.runners[run_id] = runner
        self._pump.begin(runner, Started(accepted, started_at))
        return runner

    def _is_taken(self, run_id: str) -> bool:
        pump = self._pump
        return run_id in pump.runners or run_id in pump.ended or self._row(run_id) is not None

    def _made(
        self, run_id: str, number: int, plan: Plan, run: Run, bindings: Mapping[str, str] | None
    ) -> Runner:
        payloads = Payloads(number, self._pump.journal)
        return Runner(run_id, number, plan, run, dict(bindings or {}), payloads)

    def _store_plan(self, plan: Plan) -> None:
        if plan.digest in self._stored:
            return
        assert self._pump.journal is not None
        self._pump.journal.plan(
            (
                plan.digest,
                plan.name,
                plan.version,
                json.dumps(dict(plan.document)),
                json.dumps(dict(plan.effects)),
                now(),
            )
        )
        self._stored.add(plan.digest)

    def _runner(self, run_id: str) -> Runner:
        runner = self._pump.runners.get(run_id)
        if runner is None:
            raise ValueInvalid(f"run {run_id!r} is not under way here")
        return runner

    # -- opening and recovery ----------------------------------------------------

    def _open_store(self, state: Path) -> None:
        assert self.durability != "memory"
        self._db = db = connect_writer(state / STORE, self.durability)
        retention.forget(db, before=now() - round(self._keep_days * 86_400_000_000))
        self._numbers = db.execute(_SQL["last_run"]).get
        last = db.execute(_SQL["last_lsn"]).get
        unfinished = db.execute(_SQL["open_runs"]).fetchall() if self._recover else []
        if not isinstance(self._recover, bool):
            unfinished = [row for row in unfinished if row[1] in self._recover]
        shelf = PlanShelf(db, self.catalogue.find)
        replayed = [(row, self._replayed(db, shelf, row)) for row in unfinished]
        self._pump.use_journal(Journal(db, last, self._pump.durable, self._pump.broke))
        for row, found in replayed:
            if found is not None:
                self._go_on(row, found)
        self.recovered = tuple(self._pump.runners)
        self._pump.wake()
        self._requests = asyncio.create_task(requests.serve(state, self))

    def _replayed(self, db: apsw.Connection, shelf: PlanShelf, row: Any) -> Replayed | None:
        number, run_id, _, digest, *_ = row
        try:
            return replay(db, run_id, number, shelf.get(digest))
        except Exception as exc:  # noqa: BLE001  # this run alone cannot go on; the others must
            self.unrecovered[run_id] = str(exc)
            return None

    def _go_on(self, row: Any, replayed: Replayed) -> None:
        number, run_id, _, _, _, _, bindings = row
        run = replayed.run
        runner = self._made(run_id, number, run.plan, run, json.loads(bindings))
        runner.seq, runner.started_at = replayed.seq, replayed.started_at
        runner.commands = dict(replayed.calls)
        self._pump.runners[run_id] = runner
        self._pump.telling.started(runner, now(), resumed=True)
        run.use_budget(INLINE)
        if run.finished is not None:
            self._pump.queue(runner, run.finished)
        elif run.stalled:
            self._pump.queue(runner, AwaitResolution(run.unknown_calls))
        for command in replayed.open_evaluations:
            self._pump.queue(runner, command)
        for call, life in list(run.calls.items()):
            if life.status == "resting":
                self._pump.set_timer(runner, call, life.due)
            else:
                lost = Failure(FailureKind.LOST, "the process ended during the call")
                self._pump.post(runner, CallFailed(call, lost, now()))


_PROCESS = f"{time.time_ns() // 1_000_000:011x}{secrets.token_hex(3)}"
_numbers = itertools.count()


def new_run_id() -> str:
    """A new id: when this process began, a random part, and a number; ids sort by time."""
    return f"{_PROCESS}{next(_numbers):06x}"
