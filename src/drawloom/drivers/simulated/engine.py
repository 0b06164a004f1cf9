"""The simulated engine: no files, no threads, and a clock of its own.

    async with SimulatedEngine([my_tool]) as engine:
        result = await engine.run(plan, {"days": 3})

Nothing is kept: what is under way when the engine closes is gone.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Iterable, Mapping
from functools import partial
from random import Random
from types import TracebackType
from typing import Any, Self

from drawloom.chains.plan import Plan
from drawloom.dataflow.expressions import INLINE, Budget
from drawloom.doors import Doors
from drawloom.drivers.answering import approved, signalled
from drawloom.drivers.pulling import Taking, pulled, source_of
from drawloom.drivers.resolving import Resolution, resolved
from drawloom.drivers.results import Result
from drawloom.drivers.simulated.active import Active, StartKeys, UnderWay
from drawloom.drivers.simulated.calls import Calls
from drawloom.drivers.simulated.clock import Clock
from drawloom.drivers.simulated.evaluating import evaluated
from drawloom.drivers.simulated.linking import Links
from drawloom.drivers.starting import FROM_THE_START, Beginning, started
from drawloom.errors import ValueInvalid
from drawloom.facts import Fact, RunEnded, RunStalled, RunStarted, Sink, StepEnded
from drawloom.kernel import (
    AwaitResolution,
    CallTool,
    CancelCall,
    CancelRequested,
    Command,
    Evaluate,
    Event,
    Finish,
    Run,
    SetTimer,
    TimerFired,
)
from drawloom.kernel.messages import Admit, Pull, Refuse, Refused, StartChild
from drawloom.runtime import Catalogue, Clients, Hands, StoredConnection
from drawloom.runtime.caching import Answers
from drawloom.runtime.calling import Waiting, metered
from drawloom.runtime.guarding import Guards, Policies
from drawloom.runtime.instances import with_instances
from drawloom.sdk import Context, Tool


class SimulatedEngine:
    """Runs chains in memory. An async context manager, with the face of the embedded engine.

    *tools* are a catalogue or the tools themselves, *policies* the limits that all
    runs share; they and kept answers go by its clock. Tools run on the event
    loop, threads are not used; one that really waits is really waited for, one
    that awaits `clock.sleep` takes virtual time.
    """

    def __init__(
        self,
        tools: Catalogue | Iterable[Tool] = (),
        clock: Clock | None = None,
        connections: Mapping[str, StoredConnection] | None = None,
        *,
        budget: Budget = INLINE,
        policies: Policies | None = None,
    ) -> None:
        self.catalogue = tools if isinstance(tools, Catalogue) else Catalogue(tools)
        self.clock = clock or Clock()
        stored = with_instances(dict(connections or {}), policies)
        clients = Clients(self.catalogue, stored, Doors())
        guards = Guards(policies, self.clock, partial(Random(0).getrandbits, 32))
        self._hands = Hands(clients, guards=guards)
        guards.ask_instances(clients.check, self._spawn)
        self.answers: Answers[tuple[Active, CallTool]] = Answers(
            stored, now=lambda: self.clock.now / 1_000_000
        )
        self._calls = Calls(
            self._hands,
            self.clock,
            self.answers,
            self._answer,
            self._post,
            self._spawn,
            self._tell,
        )
        self._budget = budget
        self._active: dict[str, Active] = {}
        self._ended: dict[str, Run] = {}
        self._keys = StartKeys()
        self._inbox: deque[tuple[Active, Event]] = deque()
        self._links = Links(self._begin, self._post, self._active, self.clock)
        self._tasks: set[asyncio.Task[None]] = set()
        self._moved = asyncio.Event()
        self._pump: asyncio.Task[None] | None = None
        self._sinks: list[Sink] = []
        self.clock.on_sleep = self._slept

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        rest = [*self._tasks, *([self._pump] if self._pump else [])]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await self._hands.aclose()

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
        """Begin a run; its id. Raises `ValueInvalid` for input that does not fit."""
        if beginning.key is not None:
            event = started(plan, input, beginning, self.clock.now)
            first = self._keys.first(plan.name, beginning.key, event.input)
            if first is not None:
                return first
        run_id = run_id or f"run-{len(self._active) + len(self._ended) + 1}"
        active = self._begin(plan, input, run_id, bindings or {}, beginning)
        if beginning.key is not None:
            self._keys.note(plan.name, beginning.key, run_id, active.run)
        return active.run.run_id

    def _begin(
        self,
        plan: Plan,
        given: Mapping[str, Any] | None,
        run_id: str,
        bindings: Mapping[str, str],
        beginning: Beginning = FROM_THE_START,
    ) -> Active:
        event = started(plan, given, beginning, self.clock.now)
        if run_id in self._active or run_id in self._ended:
            raise ValueInvalid(f"there is already a run {run_id!r}")
        active = Active(Run(plan, run_id, budget=self._budget), dict(bindings))
        self._active[run_id] = active
        self._tell(RunStarted(run_id, plan.name, self.clock.now))
        self._post(active, event)
        return active

    async def run(
        self,
        plan: Plan,
        input: Mapping[str, Any] | None = None,
        *,
        run_id: str | None = None,
        bindings: Mapping[str, str] | None = None,
        beginning: Beginning = FROM_THE_START,
    ) -> Result:
        """Begin a run and wait until it has ended, or waits for somebody outside."""
        begun = await self.start(
            plan, input, run_id=run_id, bindings=bindings, beginning=beginning
        )
        return await self.wait(begun)

    async def wait(self, run_id: str) -> Result:
        """Wait until a run has ended, or waits for a person."""
        if run_id in self._ended:
            return Result(self._ended[run_id])
        active = self._found(run_id)
        if not active.stalled or self._inbox:
            waiter = asyncio.get_running_loop().create_future()
            active.waiters.append(waiter)
            await waiter
        return Result(active.run)

    async def cancel(self, run_id: str, reason: str = "asked to stop") -> None:
        """Ask a run to stop. Clean-up steps still run; `wait` tells the end."""
        self._post(self._found(run_id), CancelRequested(reason, self.clock.now))

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
        active = self._found(run_id)
        self._post(active, resolved(active.run, call, outcome, self.clock.now, output, message))

    async def signal(self, run_id: str, name: str, payload: Any = None) -> None:
        """Send a signal to a run; `ValueInvalid` where no step may wait for it."""
        active = self._found(run_id)
        self._post(active, signalled(active.run, name, payload, self.clock.now))
        await asyncio.sleep(0)

    async def approve(
        self,
        run_id: str,
        step: str,
        by: str,
        approve: bool = True,
        answers: Mapping[str, Any] | None = None,
        comment: str = "",
    ) -> None:
        """Answer for *by* what the step asks; `ValueInvalid` where that cannot be."""
        active = self._found(run_id)
        now = self.clock.now
        self._post(active, approved(active.run, step, by, approve, now, answers, comment))
        await asyncio.sleep(0)

    def active(self) -> tuple[str, ...]:
        """The runs that are under way or wait for a person."""
        return tuple(self._active)

    def watch(self, sink: Sink) -> None:
        """Have the facts of runs, steps, calls and policies given to *sink* from now on."""
        self._sinks.append(sink)
        self._hands.watch(self._tell)

    def _found(self, run_id: str) -> Active:
        if run_id not in self._active:
            ended = self._ended.get(run_id)
            over = ended.finished if ended is not None else None
            why = f"is over: it has {over.status}" if over else "is not under way here"
            raise ValueInvalid(f"run {run_id!r} {why}")
        return self._active[run_id]

    def _tell(self, fact: Fact) -> None:
        for sink in self._sinks:
            sink(fact)

    # -- the pump ----------------------------------------------------------------

    def _post(self, active: Active, event: Event) -> None:
        self._inbox.append((active, event))
        self._slept()

    def _slept(self) -> None:
        """Something has happened: see what can go on."""
        self._moved.set()
        if self._pump is None or self._pump.done():
            self._pump = asyncio.create_task(self._go_on())

    async def _go_on(self) -> None:
        """Take what has come in; when all that is under way sleeps, move the clock."""
        while True:
            while self._inbox:
                active, event = self._inbox.popleft()
                try:
                    self._take(active, event)
                except Exception as exc:  # noqa: BLE001  # a bug of ours: whoever waits is told
                    active.tell(exc)
            if len(self._tasks) > self.clock.sleeping:
                self._moved.clear()
                await self._moved.wait()
                continue
            await asyncio.sleep(0)  # what was cancelled goes its way before time does
            if self._inbox or len(self._tasks) > self.clock.sleeping:
                continue
            # While all that is left waits for somebody outside, time stands still for them.
            waits = self.clock.sleeping or any(not a.stalled for a in self._active.values())
            if not waits or not self.clock.advance():
                return

    def _take(self, active: Active, event: Event) -> None:
        run = active.run
        commands = run.receive(event)
        for life in run.ended:
            self._tell(StepEnded(run.run_id, life.step.name, life.status, life.ended))
        run.ended.clear()
        for command in commands:
            self._carry_out(active, command)

    def _carry_out(self, active: Active, command: Command) -> None:
        match command:
            case CallTool():
                self._calls.begin(active, command)
            case SetTimer(call=call, due=due):
                active.timers[call] = self.clock.at(
                    due, lambda: self._post(active, TimerFired(call, self.clock.now))
                )
            case CancelCall(call=call):
                self._cancel_call(active, call)
            case Evaluate():
                self._post(active, evaluated(command, self.clock.now))
            case AwaitResolution():
                self._stalled(active, command)
            case Finish():
                self._finish(active, command)
            case _:
                self._carry_out_more(active, command)

    def _carry_out_more(self, active: Active, command: Command) -> None:
        match command:
            case StartChild():
                self._links.start_child(active, command)
            case Admit():
                self._links.admit(active, command)
            case Refuse(call=call, failure=failure):
                self._post(active, Refused(call, failure, self.clock.now))
            case Pull():
                pull = active.calls[command.call] = UnderWay(command)
                pull.task = self._spawn(self._pull(active, command))

    async def _pull(self, active: Active, command: Pull) -> None:
        source = source_of(active.run, active.bindings, command)
        event = await pulled(self._hands, source, command, lambda: self.clock.now)
        if active.calls.pop(command.call, None) is not None:
            self._post(active, event)

    def _cancel_call(self, active: Active, call: str) -> None:
        if (alarm := active.timers.pop(call, None)) is not None:
            alarm.cancel()
        self._calls.stop(active, call)
        self._links.stop_child(active, call)

    def _stalled(self, active: Active, command: AwaitResolution) -> None:
        run_id = active.run.run_id
        self._tell(RunStalled(run_id, command.calls, self.clock.now, command.waits))
        above: Active | None = active
        while above is not None and above.stalled:
            above.tell()
            above = above.parent

    def _finish(self, active: Active, finish: Finish) -> None:
        run = active.run
        for call in list(active.calls):
            self._calls.stop(active, call)
        for alarm in active.timers.values():
            alarm.cancel()
        if run.plan.streams:
            task = asyncio.create_task(self._hands.streams.close(run.run_id))
            self._tasks.add(task)
            task.add_done_callback(self._over)
        del self._active[run.run_id]
        self._ended[run.run_id] = run
        now = self.clock.now
        self._tell(RunEnded(run.run_id, run.plan.name, finish.status, now, finish.failure))
        active.tell()
        self._links.ended(active, finish)

    # -- calls -------------------------------------------------------------------

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task that time waits for, unless it sleeps."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._over)
        return task

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._moved.set()

    async def _answer(self, active: Active, command: CallTool, tool: Tool) -> Any:
        step, run_id = command.step, active.run.run_id
        context = Context(run_id, step.name, command.call, command.key(run_id), command.attempt)
        prepared = self._hands.prepared(tool)
        call = active.calls[command.call]
        connection, measured = call.connection, call.measured
        if prepared.is_async or prepared.isolated or connection is not None:
            if prepared.takes_streams:
                taking = Taking(self._hands, active.run, active.bindings, command)
                return await taking.call(prepared, connection, context, measured)
            output = await self._hands.call(
                prepared, connection, command.args, context, measured, step.resources
            )
            if type(output) is Waiting:
                output = prepared.check(await metered(output, measured), output.args)
            return output
        return prepared.begin(None, command.args, context)
