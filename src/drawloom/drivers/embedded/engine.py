"""The embedded engine: one process, SQLite files, nothing else.

    async with Engine(catalogue, state=Path(".drawloom")) as engine:
        result = await engine.run(plan, {"days": 3})

Durability: `full` (each answer that an effect rests on is synced to disk
first), `relaxed` (the operating system decides when; a power failure may lose
the last moments, a crash of the process does not), `memory` (nothing is kept).
"""

from __future__ import annotations

import asyncio
import hashlib
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
from drawloom.dataflow.values import canonical_json
from drawloom.db import connect_reader, connect_writer, queries
from drawloom.doors import Doors
from drawloom.drivers.answering import approved, signalled
from drawloom.drivers.embedded import requests, retention
from drawloom.drivers.embedded.clock import now
from drawloom.drivers.embedded.codec import Payloads
from drawloom.drivers.embedded.journal import Journal
from drawloom.drivers.embedded.linking import Links
from drawloom.drivers.embedded.pump import Pump
from drawloom.drivers.embedded.recovery import PlanShelf, replay
from drawloom.drivers.embedded.resuming import families, resume
from drawloom.drivers.embedded.runner import Runner
from drawloom.drivers.embedded.state import STORE, Ownership
from drawloom.drivers.resolving import Resolution, resolved
from drawloom.drivers.results import Result
from drawloom.drivers.starting import (
    FROM_THE_START,
    Beginning,
    accepted_key,
    other_input,
    started,
)
from drawloom.errors import Overloaded, StateUnusable, ValueInvalid
from drawloom.facts import Sink
from drawloom.kernel import CancelRequested, Run, Started
from drawloom.runtime import Catalogue, Clients, Hands, StoredConnection
from drawloom.runtime.isolation.usage import refuse_beyond

Durability: TypeAlias = Literal["full", "relaxed", "memory"]

_SQL = queries("journal")
RUNS_AT_ONCE = 20_000


class Engine:
    """Runs chains in this process. An async context manager; opening it recovers.

    *state* is the state directory, which this process then owns; it is not
    touched with durability `memory`. *keep_days* is how long runs that ended are kept.
    *recover* may name the unfinished runs to take up; the others then stay as they are
    (but for the runs that they started, or that started them). Beyond *runs_at_once*
    runs that are not over, a start is refused as `Overloaded`; so it is while this
    process holds more than *memory* bytes. The declared memory of isolated calls under
    way is never more than that, either.
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
        runs_at_once: int = RUNS_AT_ONCE,
        memory: int | None = None,
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
        self._runs_at_once = runs_at_once
        self._memory = memory
        self._ownership: Ownership | None = None
        self._db: apsw.Connection | None = None
        self._reader: apsw.Connection | None = None
        self._keys: OrderedDict[tuple[str, str], tuple[str, bytes]] = OrderedDict()
        self._stored: set[str] = set()  # digests of plans that are in the store
        self._numbers = 0
        self._requests: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        clients = Clients(self.catalogue, self.connections, self._doors)
        hands = Hands(clients, memory=self._memory)
        self._pump = Pump(hands, None)
        self._links = self._pump.links = Links(self, self._pump)
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
        beginning: Beginning = FROM_THE_START,
    ) -> str:
        """Begin a run; its id is given back once the start is durable.

        Raises `ValueInvalid` for input that does not fit, naming the field,
        `Overloaded` where there is no room for another run, and `StateUnusable`
        where the store cannot be written.
        """
        runner = self._start(plan, input, run_id, bindings, beginning)
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
        runner = self._start(plan, input, run_id, bindings, beginning)
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
        row = self._row(run_id)
        if row is None or self._reader is None:
            raise ValueInvalid(f"there is no run {run_id!r} here")
        number, _, _, digest, *_ = row
        shelf = PlanShelf(self._reader, self.catalogue.find)
        return Result(replay(self._reader, run_id, number, shelf.get(digest)).run)

    def _row(self, run_id: str) -> Any:
        """The store's row of a run; None where it has none."""
        reader = self._reading()
        return None if reader is None else reader.execute(_SQL["run"], (run_id,)).fetchone()

    def _reading(self) -> apsw.Connection | None:
        """A connection to look with: the writing one belongs to the journal's thread."""
        if self._reader is None and self.state is not None:
            self._reader = connect_reader(self.state / STORE)
        return self._reader

    # -- starting ----------------------------------------------------------------

    def _start(
        self,
        plan: Plan,
        given: Mapping[str, Any] | None,
        run_id: str | None,
        bindings: Mapping[str, str] | None,
        beginning: Beginning,
    ) -> Runner | str:
        """The new run, or the id of the one that its start key belongs to."""
        if self._pump.broken is not None:
            raise self._pump.broken
        event = started(plan, given, beginning, now())
        key, digest = beginning.key, None
        if key is not None:
            digest = hashlib.blake2b(canonical_json(event.input), digest_size=16).digest()
            if (first := self._first(plan, accepted_key(key), digest)) is not None:
                return first
        if run_id is None:
            run_id = new_run_id()
        elif self.knows(run_id):
            raise ValueInvalid(f"there is already a run {run_id!r}")
        if len(self._pump.runners) >= self._runs_at_once:
            raise Overloaded(f"{self._runs_at_once} runs are under way; try again later")
        refuse_beyond(self._memory)
        return self._begin(plan, event, run_id, bindings, (key, digest))

    def start_linked(
        self,
        plan: Plan,
        given: Mapping[str, Any],
        run_id: str,
        bindings: Mapping[str, str],
        parent: tuple[Runner, str] | None,
    ) -> Runner:
        """Begin a run for another one. Raises `ValueInvalid`."""
        event = started(plan, given, FROM_THE_START, now())
        if self.knows(run_id):
            raise ValueInvalid(f"there is already a run {run_id!r}")
        return self._begin(plan, event, run_id, bindings, (None, None), parent)

    def _begin(
        self,
        plan: Plan,
        event: Started,
        run_id: str,
        bindings: Mapping[str, str] | None,
        keyed: tuple[str | None, bytes | None],
        parent: tuple[Runner, str] | None = None,
    ) -> Runner:
        self._numbers += 1
        runner = self._made(run_id, self._numbers, plan, Run(plan, run_id), bindings)
        runner.started_at = event.at
        above = None
        if parent is not None:
            runner.parent, runner.parent_call = parent
            above = runner.parent.number
        key, digest = keyed
        if key is not None and digest is not None:
            self._remember_key((plan.name, key), (run_id, digest))
        journal = self._pump.journal
        if journal is not None:
            self._store_plan(plan)
            bound = json.dumps(runner.bindings) if bindings else "{}"
            named = (runner.number, run_id, plan.name, plan.digest, "running", event.at, bound)
            journal.run((*named, above, runner.parent_call or None, key, digest))
        self._pump.runners[run_id] = runner
        self._pump.begin(runner, event)
        return runner

    def _first(self, plan: Plan, key: str, digest: bytes) -> str | None:
        """The run that began with a start key, if there is one."""
        found: Any = self._keys.get((plan.name, key))
        if found is None and (reader := self._reading()) is not None:
            found = reader.execute(_SQL["run_by_key"], (plan.name, key)).fetchone()
        if found is None:
            return None
        run_id, known = found
        if bytes(known) != digest:
            raise other_input(key, run_id)
        return str(run_id)

    def _remember_key(self, named: tuple[str, str], run: tuple[str, bytes]) -> None:
        """Until the store has it; where nothing is kept, the latest ones."""
        self._keys[named] = run
        if len(self._keys) > self._runs_at_once:
            self._keys.popitem(last=False)

    def knows(self, run_id: str) -> bool:
        """Whether there is, or was, a run of this id here."""
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
        for child in plan.children.values():
            self._store_plan(child)
        self._pump.journal.plan(
            (
                plan.digest,
                plan.name,
                plan.version,
                json.dumps(dict(plan.document)),
                json.dumps(dict(plan.effects)),
                now(),
                json.dumps({name: child.digest for name, child in plan.children.items()}),
            )
        )
        self._stored.add(plan.digest)

    def _runner(self, run_id: str) -> Runner:
        runner = self._pump.runners.get(run_id)
        if runner is None:
            row = self._row(run_id)
            over = row is not None and row[4] in ("succeeded", "failed", "cancelled")
            why = f"is over: it has {row[4]}" if over else "is not under way here"
            raise ValueInvalid(f"run {run_id!r} {why}")
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
            wanted = families(unfinished, self._recover)
            unfinished = [row for row in unfinished if row[1] in wanted]
        self._pump.use_journal(Journal(db, last, self._pump.durable, self._pump.broke))
        shelf = PlanShelf(db, self.catalogue.find)
        resume(self, self._pump, self._links, db, shelf, unfinished)
        self.recovered = tuple(self._pump.runners)
        self._pump.wake()
        self._requests = asyncio.create_task(requests.serve(state, self))

    def resumed(self, row: Any, run: Run) -> Runner:
        """The runner of a run that a dead process left."""
        number, run_id, _, _, stands, _, bindings, _, parent_call = row
        runner = self._made(run_id, number, run.plan, run, json.loads(bindings))
        runner.stands, runner.parent_call = stands, parent_call or ""
        self._pump.runners[run_id] = runner
        return runner


_PROCESS = f"{time.time_ns() // 1_000_000:011x}{secrets.token_hex(3)}"
_numbers = itertools.count()


def new_run_id() -> str:
    """A new id: when this process began, a random part, and a number; ids sort by time."""
    return f"{_PROCESS}{next(_numbers):06x}"
