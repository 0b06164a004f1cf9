"""The simulated engine: no files, no threads, and a clock of its own.

    async with SimulatedEngine([my_tool]) as engine:
        result = await engine.run(plan, {"days": 3})

Nothing is kept: what is under way when the engine closes is gone.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Self

from drawloom.chains.plan import Plan
from drawloom.dataflow.expressions import FULL, INLINE, Budget
from drawloom.dataflow.references import Condition, Evaluation, Template, listing
from drawloom.doors import Doors
from drawloom.drivers.answering import approved, signalled
from drawloom.drivers.family import answer, child_id, handler_id, handler_input
from drawloom.drivers.resolving import Resolution, resolved
from drawloom.drivers.results import Result
from drawloom.drivers.simulated.clock import Alarm, Clock
from drawloom.drivers.starting import FROM_THE_START, Beginning, other_input, started
from drawloom.drivers.turns import Turns
from drawloom.errors import ExpressionInvalid, Failure, FailureKind, ValueInvalid
from drawloom.facts import Fact, RunEnded, RunStalled, RunStarted, Sink, StepEnded
from drawloom.kernel import (
    Admit,
    Admitted,
    AwaitResolution,
    CallFailed,
    CallSucceeded,
    CallTool,
    CancelCall,
    CancelRequested,
    Command,
    Evaluate,
    Evaluated,
    Event,
    Finish,
    Refuse,
    Refused,
    Run,
    SetTimer,
    StartChild,
    TimerFired,
)
from drawloom.runtime import Catalogue, Clients, Hands, Measured, StoredConnection
from drawloom.runtime.calling import Waiting, failure_of, metered
from drawloom.sdk import Context, Tool


class _Active:
    """A run that is under way: its kernel, its calls, and who waits for it."""

    def __init__(self, run: Run, bindings: Mapping[str, str]) -> None:
        self.run = run
        self.bindings = bindings
        self.calls: dict[str, tuple[asyncio.Task[None], Alarm]] = {}
        self.waiters: list[asyncio.Future[None]] = []
        self.parent: _Active | None = None
        self.parent_call = ""
        self.children: dict[str, _Active] = {}
        self.timers: dict[str, Alarm] = {}
        self.admit: Admit | None = None

    @property
    def stalled(self) -> bool:
        """Whether nothing goes on here or below until somebody outside does something."""
        run = self.run
        inside = len(run.calls) - len(run.waits)
        return (
            inside == len(self.children)
            and bool(run.waits or run.unknown_calls or self.children)
            and not run.evaluations
            and all(child.stalled for child in self.children.values())
        )

    def tell(self, exc: Exception | None = None) -> None:
        for waiter in self.waiters:
            if waiter.done():
                continue
            if exc is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(exc)
        self.waiters.clear()


class SimulatedEngine:
    """Runs chains in memory. An async context manager, with the face of the embedded engine.

    *tools* are a catalogue or the tools themselves. Tools run on the event
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
    ) -> None:
        self.catalogue = tools if isinstance(tools, Catalogue) else Catalogue(tools)
        self.clock = clock or Clock()
        self._hands = Hands(Clients(self.catalogue, dict(connections or {}), Doors()))
        self._budget = budget
        self._active: dict[str, _Active] = {}
        self._ended: dict[str, Run] = {}
        self._keys: dict[tuple[str, str], str] = {}
        self._turns = Turns()
        self._inbox: deque[tuple[_Active, Event]] = deque()
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
            first = self._first(plan, input, beginning)
            if first is not None:
                return first
        run_id = run_id or f"run-{len(self._active) + len(self._ended) + 1}"
        active = self._begin(plan, input, run_id, bindings or {}, beginning)
        if beginning.key is not None:
            self._keys[plan.name, beginning.key] = run_id
        return active.run.run_id

    def _first(
        self, plan: Plan, given: Mapping[str, Any] | None, beginning: Beginning
    ) -> str | None:
        """The run that began with this start key, if there is one."""
        first = self._keys.get((plan.name, beginning.key or ""))
        if first is None:
            return None
        run = self._ended[first] if first in self._ended else self._active[first].run
        event = started(plan, given, beginning, self.clock.now)
        if run.scope.get("input", event.input) != event.input:
            raise other_input(beginning.key or "", first)
        return first

    def _begin(
        self,
        plan: Plan,
        given: Mapping[str, Any] | None,
        run_id: str,
        bindings: Mapping[str, str],
        beginning: Beginning = FROM_THE_START,
    ) -> _Active:
        event = started(plan, given, beginning, self.clock.now)
        if run_id in self._active or run_id in self._ended:
            raise ValueInvalid(f"there is already a run {run_id!r}")
        active = _Active(Run(plan, run_id, budget=self._budget), dict(bindings))
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
        """Have the facts of runs and steps given to *sink* from now on."""
        self._sinks.append(sink)

    def _found(self, run_id: str) -> _Active:
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

    def _post(self, active: _Active, event: Event) -> None:
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

    def _take(self, active: _Active, event: Event) -> None:
        run = active.run
        commands = run.receive(event)
        for life in run.ended:
            self._tell(StepEnded(run.run_id, life.step.name, life.status, life.ended))
        run.ended.clear()
        for command in commands:
            self._carry_out(active, command)

    def _carry_out(self, active: _Active, command: Command) -> None:
        match command:
            case CallTool():
                self._call(active, command)
            case SetTimer(call=call, due=due):
                active.timers[call] = self.clock.at(
                    due, lambda: self._post(active, TimerFired(call, self.clock.now))
                )
            case CancelCall(call=call):
                self._cancel_call(active, call)
            case Evaluate():
                self._post(active, _evaluated(command, self.clock.now))
            case AwaitResolution():
                self._stalled(active, command)
            case Finish():
                self._finish(active, command)
            case _:
                self._carry_out_more(active, command)

    def _carry_out_more(self, active: _Active, command: Command) -> None:
        match command:
            case StartChild():
                self._start_child(active, command)
            case Admit():
                self._admit(active, command)
            case Refuse(call=call, failure=failure):
                self._post(active, Refused(call, failure, self.clock.now))

    def _cancel_call(self, active: _Active, call: str) -> None:
        if (alarm := active.timers.pop(call, None)) is not None:
            alarm.off = True
        self._stop(active, call)
        if (child := active.children.get(call)) is not None:
            why = f"run {active.run.run_id}, which started it, stops"
            self._post(child, CancelRequested(why, self.clock.now))

    def _stalled(self, active: _Active, command: AwaitResolution) -> None:
        run_id = active.run.run_id
        self._tell(RunStalled(run_id, command.calls, self.clock.now, command.waits))
        above: _Active | None = active
        while above is not None and above.stalled:
            above.tell()
            above = above.parent

    def _start_child(self, active: _Active, command: StartChild) -> None:
        slots = command.step.child_slots
        bindings = {
            slot: active.bindings.get(slots.get(slot, slot), slots.get(slot, slot))
            for slot in command.plan.slots
        }
        run_id = child_id(active.run.run_id, command.call)
        try:
            child = self._begin(command.plan, command.input, run_id, bindings)
        except ValueInvalid as exc:
            failure = Failure(FailureKind.INVALID, f"{command.plan.name}: {exc}")
            self._post(active, CallFailed(command.call, failure, self.clock.now))
            return
        child.parent, child.parent_call = active, command.call
        active.children[command.call] = child

    def _admit(self, active: _Active, command: Admit) -> None:
        active.admit = command
        group, run_id = (active.run.plan.name, command.key), active.run.run_id
        if self._turns.come(group, run_id, command.limit, command.priority):
            self._post(active, Admitted(self.clock.now))

    def _leave(self, active: _Active, command: Admit) -> None:
        group = (active.run.plan.name, command.key)
        for run_id in self._turns.leave(group, active.run.run_id, command.limit):
            if run_id in self._active:
                self._post(self._active[run_id], Admitted(self.clock.now))

    def _finish(self, active: _Active, finish: Finish) -> None:
        run = active.run
        for call in list(active.calls):
            self._stop(active, call)
        for alarm in active.timers.values():
            alarm.off = True
        del self._active[run.run_id]
        self._ended[run.run_id] = run
        now = self.clock.now
        self._tell(RunEnded(run.run_id, run.plan.name, finish.status, now, finish.failure))
        active.tell()
        if (parent := active.parent) is not None:
            parent.children.pop(active.parent_call, None)
            self._post(parent, answer(active.parent_call, run.run_id, run.plan, finish, now))
        if active.admit is not None:
            self._leave(active, active.admit)
        if finish.status == "failed" and run.plan.on_failure:
            handler = run.plan.children[run.plan.on_failure]
            bindings = {slot: active.bindings.get(slot, slot) for slot in handler.slots}
            given = handler_input(run, finish, handler)
            self._begin(handler, given, handler_id(run.run_id), bindings)

    # -- calls -------------------------------------------------------------------

    def _call(self, active: _Active, command: CallTool) -> None:
        step = command.step
        due = self.clock.now + round(step.timeout * 1_000_000)
        alarm = self.clock.at(due, lambda: self._expire(active, command))
        task = asyncio.create_task(self._called(active, command))
        active.calls[command.call] = (task, alarm)
        self._tasks.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._moved.set()

    def _stop(self, active: _Active, call: str) -> bool:
        """Nobody waits for a call any more; False where it was over already."""
        found = active.calls.pop(call, None)
        if found is not None:
            task, alarm = found
            alarm.off = True
            task.cancel()
        return found is not None

    def _expire(self, active: _Active, command: CallTool) -> None:
        if self._stop(active, command.call):
            timeout = command.step.timeout
            message = f"{command.step.tool} gave no answer within {timeout:g} s"
            failure = Failure(FailureKind.TIMEOUT, message)
            self._post(active, CallFailed(command.call, failure, self.clock.now))

    async def _called(self, active: _Active, command: CallTool) -> None:
        tool: Any = command.step.spec
        event: Event
        try:
            output = await self._answer(active, command, tool)
        except asyncio.CancelledError:
            if command.call not in active.calls:
                return
            failure = Failure(FailureKind.DEFECT, f"{tool.name} cancelled its own call")
            event = CallFailed(command.call, failure, self.clock.now)
        except (Exception, SystemExit) as exc:  # noqa: BLE001  # whatever a tool does
            event = CallFailed(command.call, failure_of(tool, exc), self.clock.now)
        else:
            event = CallSucceeded(command.call, output, self.clock.now)
        if command.call in active.calls:
            active.calls.pop(command.call)[1].off = True
            self._post(active, event)

    async def _answer(self, active: _Active, command: CallTool, tool: Tool) -> Any:
        step, run_id = command.step, active.run.run_id
        item = "" if command.item is None else f"[{command.item}]"
        key = f"{run_id}/{step.name}{item}"
        context = Context(run_id, step.name, command.call, key, command.attempt)
        prepared = self._hands.prepared(tool)
        slot = None if step.slot is None else active.bindings.get(step.slot, step.slot)
        if prepared.is_async or prepared.isolated or slot is not None:
            measured = Measured()
            output = await self._hands.call(
                prepared, slot, command.args, context, measured, step.resources
            )
            if type(output) is Waiting:
                output = prepared.check(await metered(output, measured), output.args)
            return output
        return prepared.begin(None, command.args, context)


def _evaluated(command: Evaluate, at: int) -> Evaluated:
    """An expression that is too large for a loop; here nobody else waits for it."""
    evaluation = Evaluation(FULL, command.now * 1000, command.seed)
    try:
        if command.kind == "condition":
            value: Any = Condition(command.source).holds(command.scope, evaluation)
        elif command.kind == "list":
            value = listing(command.source).fill(command.scope, evaluation)
        else:
            value = Template(command.source).fill(command.scope, evaluation)
    except (ExpressionInvalid, ValueInvalid) as exc:
        return Evaluated(command.place, at, failure=Failure(FailureKind.INVALID, str(exc)))
    return Evaluated(command.place, at, value)
