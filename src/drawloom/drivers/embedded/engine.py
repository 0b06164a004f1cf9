"""The embedded engine: one process, SQLite files, nothing else.

    async with Engine(catalogue, state=Path(".drawloom")) as engine:
        result = await engine.run(plan, {"days": 3})

Durability: `full` (each answer that an effect rests on is synced to disk
first), `relaxed` (the operating system decides when; a power failure may lose
the last moments, a crash of the process does not), `memory` (nothing is kept).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias

import apsw

from drawloom.chains.plan import Plan
from drawloom.db import connect_reader, connect_writer, queries
from drawloom.doors import Doors
from drawloom.doors.blobs import BlobFolder
from drawloom.drivers.answering import approved, signalled
from drawloom.drivers.cached import CachedCalls
from drawloom.drivers.embedded import requests, retention
from drawloom.drivers.embedded.blobs import FOLDER, THRESHOLD, Blobs, sweep
from drawloom.drivers.embedded.clock import now
from drawloom.drivers.embedded.journal import Journal
from drawloom.drivers.embedded.linking import Links
from drawloom.drivers.embedded.pump import Pump
from drawloom.drivers.embedded.recovery import PlanShelf, replay
from drawloom.drivers.embedded.resuming import families, resume
from drawloom.drivers.embedded.runner import Runner
from drawloom.drivers.embedded.starts import Starts
from drawloom.drivers.embedded.state import STORE, Ownership
from drawloom.drivers.resolving import Resolution, resolved
from drawloom.drivers.results import Result
from drawloom.drivers.starting import FROM_THE_START, Beginning
from drawloom.errors import StateUnusable, ValueInvalid
from drawloom.facts import Sink
from drawloom.kernel import CallTool, CancelRequested, Run
from drawloom.runtime import Catalogue, Clients, Hands, StoredConnection
from drawloom.runtime.caching import Answers
from drawloom.runtime.clients import SecretSource
from drawloom.runtime.guarding import Guards, Policies
from drawloom.runtime.instances import with_instances

Durability: TypeAlias = Literal["full", "relaxed", "memory"]

_SQL = queries("journal")
RUNS_AT_ONCE = 20_000


class Engine:
    """Runs chains in this process. An async context manager; opening it recovers.

    *state* is the state directory, which this process then owns; it is not
    touched with durability `memory`. *keep_days* is how long runs that ended are kept.
    *policies* are the limits that all runs share; safe ones where none are given.
    *recover* may name the unfinished runs to take up; the others then stay as they are
    (but for the runs that they started, or that started them). Beyond *runs_at_once*
    runs that are not over, a start is refused as `Overloaded`; so it is while this
    process holds more than *memory* bytes. The declared memory of isolated calls under
    way is never more than that, either. A value of more than *blob_threshold* bytes of
    JSON is kept in a file of its own, and loaded where it is read. *cgroup* names the
    control group in which isolated calls get their own, unless one is delegated. *secrets*
    gives the values of secrets that a vault keeps, and the connections that it keeps.
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
        policies: Policies | None = None,
        recover: bool | Collection[str] = True,
        runs_at_once: int = RUNS_AT_ONCE,
        memory: int | None = None,
        blob_threshold: int = THRESHOLD,
        cgroup: str | None = None,
        secrets: SecretSource | None = None,
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
        self._policies = policies
        self._recover = recover
        self._runs_at_once = runs_at_once
        self._memory = memory
        self._blob_threshold = blob_threshold
        self._cgroup = cgroup
        self._secrets = secrets
        self._ownership: Ownership | None = None
        self._db: apsw.Connection | None = None
        self._reader: apsw.Connection | None = None
        self._requests: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        connections = with_instances(self.connections, self._policies)
        kept = {} if self._secrets is None else self._secrets.connections()
        clients = Clients(self.catalogue, connections, self._doors, self._secrets)
        hands = Hands(
            clients,
            guards=Guards(self._policies),
            memory=self._memory,
            cgroup=self._cgroup,
        )
        self._pump = Pump(hands, None)
        self._starts = Starts(self._pump, self.row_of, self._runs_at_once, self._memory)
        self._links = self._pump.links = Links(self._starts, self._pump)
        stored = {**self.connections, **kept}
        self.answers: Answers[tuple[Runner, CallTool]] = Answers(stored, self.state)
        clients.changed = self.answers.changed
        pump = self._pump
        tell = pump.telling.reused
        pump.cached = CachedCalls(
            self.answers, hands, pump.post, pump.make_again, pump.spawn, tell
        )
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
        self.answers.close()
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
        beginning: Beginning = FROM_THE_START,
    ) -> str:
        """Begin a run; its id is given back once the start is durable.

        Raises `ValueInvalid` for input that does not fit, naming the field,
        `Overloaded` where there is no room for another run, and `StateUnusable`
        where the store cannot be written.
        """
        runner = self._starts.start(plan, input, run_id, bindings, beginning)
        if isinstance(runner, str):
            await self.flush()  # the first start with this key may not be on disk yet
            return runner
        await self._pump.until_durable(runner.lsn)
        return runner.run_id

    async def run(
        self,
        plan: Plan,
        input: Mapping[str, Any] | None = None,
        *,
        run_id: str | None = None,
        bindings: Mapping[str, str] | None = None,
        beginning: Beginning = FROM_THE_START,
        acknowledge: Callable[[str], None] | None = None,
    ) -> Result:
        """Begin a run and wait until it has ended, or waits for somebody outside.

        *acknowledge* is called with its id once the start is durable.
        """
        runner = self._starts.start(plan, input, run_id, bindings, beginning)
        if isinstance(runner, str):
            if acknowledge is not None:
                acknowledge(runner)
            return await self.wait(runner)
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

    async def outcome(self, run_id: str) -> Result:
        """Wait until a run is over, whatever it waits for meanwhile."""
        runner = self._pump.runners.get(run_id)
        if runner is None:
            return self._ended(run_id)
        await runner.over()
        return Result(runner.run)

    async def settled(self) -> None:
        """Wait until no run goes on: each is over, or waits for somebody outside."""
        while going := [r for r in self._pump.runners.values() if not r.told]:
            await going[0].ended()

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
        self._pump.post(runner, resolved(runner.run, call, outcome, now(), output, message))
        await asyncio.sleep(0)

    async def signal(self, run_id: str, name: str, payload: Any = None) -> None:
        """Send a signal to a run; given back once it is durable.

        It ends the first wait for it, or is kept for one to come. Raises
        `ValueInvalid` where the run is over, its chain waits for no such signal, or
        *payload* does not fit; `Overloaded` where too many are kept.
        """
        runner = self._runner(run_id)
        self._pump.post(runner, signalled(runner.run, name, payload, now()))
        await self._taken()

    async def approve(
        self,
        run_id: str,
        step: str,
        by: str,
        approve: bool = True,
        answers: Mapping[str, Any] | None = None,
        comment: str = "",
    ) -> None:
        """Answer for *by* what the step asks; given back once it is durable.

        Raises `ValueInvalid` where nobody is asked there, *by* is not, or *answers*
        do not fit the form.
        """
        runner = self._runner(run_id)
        event = approved(runner.run, step, by, approve, now(), answers, comment)
        self._pump.post(runner, event)
        await self._taken()

    async def _taken(self) -> None:
        """Wait until what was posted is received, and on disk."""
        await asyncio.sleep(0)
        await self.flush()

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
        row = self.row_of("run", run_id)
        if row is None or self._reader is None:
            raise ValueInvalid(f"there is no run {run_id!r} here")
        number, _, _, digest, *_ = row
        shelf = PlanShelf(self._reader, self.catalogue.find)
        blobs = self._pump.blobs
        assert blobs is not None
        return Result(replay(self._reader, blobs, run_id, number, shelf.get(digest)).run)

    def row_of(self, query: str, *given: Any) -> Any:
        """The row that a named query finds in the store; None where there is none."""
        if self.state is None:
            return None
        if self._reader is None:
            # The writing connection belongs to the journal's thread.
            self._reader = connect_reader(self.state / STORE)
        return self._reader.execute(_SQL[query], given).fetchone()

    def _runner(self, run_id: str) -> Runner:
        runner = self._pump.runners.get(run_id)
        if runner is None:
            row = self.row_of("run", run_id)
            over = row is not None and row[4] in ("succeeded", "failed", "cancelled")
            why = f"is over: it has {row[4]}" if over else "is not under way here"
            raise ValueInvalid(f"run {run_id!r} {why}")
        return runner

    # -- opening and recovery ----------------------------------------------------

    def _open_store(self, state: Path) -> None:
        assert self.durability != "memory"
        self._db = db = connect_writer(state / STORE, self.durability)
        retention.forget(db, before=now() - round(self._keep_days * 86_400_000_000))
        self._starts.numbers = db.execute(_SQL["last_run"]).get
        last = db.execute(_SQL["last_lsn"]).get
        unfinished = db.execute(_SQL["open_runs"]).fetchall() if self._recover else []
        if not isinstance(self._recover, bool):
            wanted = families(unfinished, self._recover)
            unfinished = [row for row in unfinished if row[1] in wanted]
        files = BlobFolder(state / FOLDER, sync=self.durability == "full")
        sweep(files, db.execute(_SQL["blobs"]))
        blobs = Blobs(files, self._blob_threshold)
        journal = Journal(db, last, blobs, self._pump.durable, self._pump.broke)
        self._pump.use_journal(journal, blobs)
        shelf = PlanShelf(db, self.catalogue.find)
        resume(self, self._pump, self._links, db, shelf, unfinished)
        self.recovered = tuple(self._pump.runners)
        self._pump.wake()
        self._requests = asyncio.create_task(requests.serve(state, self))

    def resumed(self, row: Any, run: Run) -> Runner:
        """The runner of a run that a dead process left."""
        number, run_id, _, _, stands, _, bindings, _, parent_call = row
        runner = self._starts.made(run_id, number, run.plan, run, json.loads(bindings))
        runner.stands, runner.parent_call = stands, parent_call or ""
        self._pump.runners[run_id] = runner
        return runner
