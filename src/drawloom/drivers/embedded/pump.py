"""The pump: takes events from the inbox, and carries out what the kernel says.

One pump takes events from the inbox, journals each, feeds the kernel, and
carries out what it says. A tool that never waits is called right there; one
that suspends keeps the pump's task as its own, and another pump goes on, so a
linear stretch of quick tools needs no task at all.

A row is appended before its event is received. What only looks (`pure`,
`read`) is called at once, for it can be asked again; any other call, and the
end of a run, waits until the rows that it rests on are on disk.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from drawloom.dataflow.large_values import at_hand
from drawloom.drivers.embedded.blobs import Blobs
from drawloom.drivers.embedded.clock import now
from drawloom.drivers.embedded.codec import call_digest, to_json
from drawloom.drivers.embedded.deadlines import Deadlines
from drawloom.drivers.embedded.event_codec import body_of, with_blobs_outside
from drawloom.drivers.embedded.journal import Journal
from drawloom.drivers.embedded.runner import Call, Runner
from drawloom.drivers.embedded.telling import Telling
from drawloom.drivers.late import out_of_time
from drawloom.drivers.pulling import Taking, pulled, source_of
from drawloom.errors import Failure, FailureKind, StateUnusable, ToolError
from drawloom.facts import Sink
from drawloom.kernel import (
    AwaitResolution,
    CallFailed,
    CallSucceeded,
    CallTool,
    CancelCall,
    Command,
    Evaluate,
    Evaluated,
    Event,
    Finish,
    Run,
    SetTimer,
    Started,
    TimerFired,
)
from drawloom.kernel.messages import Admit, Pull, Refuse, Refused, StartChild
from drawloom.runtime.calling import Hands, Measured, Prepared, Waiting, metered
from drawloom.runtime.evaluator import Evaluator
from drawloom.runtime.guarding import Caller
from drawloom.sdk import Context

if TYPE_CHECKING:
    from drawloom.drivers.cached import CachedCalls
    from drawloom.drivers.embedded.linking import Links

_REMEMBERED = 64  # runs
_TURN = 0.005  # seconds that the pump may work before others get the loop


class Pump:
    """Carries the commands of all runs of one engine out."""

    links: Links  # set by the engine, which starts the runs that belong to others
    cached: CachedCalls[Runner]  # and this one, for it knows the connections

    def __init__(self, hands: Hands, journal: Journal | None) -> None:
        self.hands = hands
        self.journal = journal
        self.blobs: Blobs | None = None
        self.runners: dict[str, Runner] = {}
        self.ended: OrderedDict[str, Run] = (
            OrderedDict()
        )  # the last runs that ended, where nothing is journaled
        self.broken: StateUnusable | None = None
        self._inbox: deque[tuple[Runner, Any]] = deque()
        self._parked: deque[tuple[int, Runner | None, Any]] = deque()
        self.telling = Telling()
        self._sinks = self.telling.sinks
        self._pumping = False
        self._measures = journal is not None  # somebody looks at what a call cost
        self._tasks: set[asyncio.Task[Any]] = set()
        self._evaluator: Evaluator | None = None
        self._loop = asyncio.get_running_loop()
        self._deadlines: Deadlines[Call] = Deadlines(self._expire)

    # -- what the engine uses ----------------------------------------------------

    def watch(self, sink: Sink) -> None:
        """Have every fact from now on given to *sink*."""
        self.telling.sinks.append(sink)
        self._measures = True
        self.hands.watch(self.telling.fact)

    def use_journal(self, journal: Journal, blobs: Blobs) -> None:
        """Write everything to *journal* from now on, and what is large to *blobs*."""
        self.journal, self.blobs = journal, blobs
        self._measures = True

    def post(self, runner: Runner, event: Event) -> None:
        """Have an event journaled and received."""
        if runner.told:
            self._stir(runner)
        self._inbox.append((runner, event))
        self.wake()

    def _stir(self, runner: Runner) -> None:
        """What was told of a run may change, and of those that wait for it: it goes on."""
        runner.told = False
        self.stand(runner, "running")
        if runner.parent is not None:
            self._stir(runner.parent)

    def stand(self, runner: Runner, status: str) -> None:
        """Have the store say how a run stands that is not over."""
        if runner.stands == status or runner.run.finished is not None:
            return
        runner.stands = status
        if self.journal is not None:
            self.journal.state((runner.number, status, None, None, None, None))

    def begin(self, runner: Runner, event: Started) -> None:
        """Have a new run started: its first row is appended before this returns."""
        self.telling.started(runner, event.at)
        self.runners[runner.run_id] = runner
        try:
            self._take(runner, event)
        except Exception:
            del self.runners[runner.run_id]  # whoever begins it is told
            raise
        self.wake()

    async def aclose(self) -> None:
        """Stop what is under way; a journaled run goes on at the next start."""
        for runner in list(self.runners.values()):
            self._release(runner)
            runner.tell(asyncio.CancelledError())
        self._inbox.clear()
        self._parked.clear()
        mine = asyncio.current_task()
        rest = [task for task in self._tasks if task is not mine]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        self._deadlines.stop()
        if self._evaluator is not None:
            await self._evaluator.aclose()
        await self.hands.aclose()

    def durable(self, lsn: int) -> None:
        """Rows up to *lsn* are on disk: let go what rested on them."""
        parked = self._parked
        while parked and parked[0][0] <= lsn:
            _, runner, command = parked.popleft()
            if runner is not None:
                self._inbox.append((runner, command))
            elif not command.done():
                command.set_result(None)
        self.wake()

    async def until_durable(self, lsn: int) -> None:
        """Wait until a row is on disk, with all the rows before it."""
        journal = self.journal
        if journal is not None and lsn > journal.durable:
            waiting = self._loop.create_future()
            self._parked.append((lsn, None, waiting))
            self.wake()
            await waiting

    def broke(self, exc: StateUnusable) -> None:
        """The journal cannot be written: nothing more is dispatched or acknowledged."""
        self.broken = exc
        for runner in list(self.runners.values()):
            self._release(runner)
            runner.tell(exc)
        for _, runner_or_none, waiting in self._parked:
            if runner_or_none is None and not waiting.done():
                waiting.set_exception(exc)
        self._inbox.clear()
        self._parked.clear()

    # -- the pump ----------------------------------------------------------------

    def wake(self) -> None:
        """Set the pump going where there is something to do."""
        if not self._pumping:
            if self._inbox:
                self._pumping = True
                self.spawn(self._pump())
            elif self.journal is not None:
                self.journal.flush()

    def make_again(self, runner: Runner, command: CallTool) -> None:
        """Have a call made as if it had just been asked for."""
        self._inbox.append((runner, command))
        self.wake()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _pump(self) -> None:
        inbox, journal = self._inbox, self.journal
        until = time.perf_counter() + _TURN
        count = 0
        while inbox:
            runner, thing = inbox.popleft()
            kind = type(thing)
            try:
                if kind is CallTool:
                    if thing.step.cache is not None and self._reused(runner, thing):
                        continue
                    rest = self._call(runner, thing)
                    if rest is not None:  # the tool waits: this task is its own from now on
                        self.spawn(self._pump())
                        await rest
                        return
                elif kind in _COMMANDS:
                    self._do(runner, thing)
                else:
                    self._take(runner, thing)
            except Exception as exc:  # noqa: BLE001  # a bug of ours: this run alone stops
                self._give_up(runner, exc)
            count += 1
            if count & 31 == 0 and time.perf_counter() > until:
                if journal is not None:
                    journal.flush()
                await asyncio.sleep(0)
                until = time.perf_counter() + _TURN
        self._pumping = False
        if journal is not None:
            journal.flush()

    def _take(self, runner: Runner, event: Event, measured: Measured | None = None) -> None:
        """Journal one event, let the kernel receive it, and queue what it says."""
        run = runner.run
        if run.finished is not None or self.broken is not None:
            return
        if self.journal is not None:
            event = self._record(self.journal, runner, event, measured)
        commands = run.receive(event)
        if self._sinks:
            self.telling.steps(runner)
        if run.finished is not None and runner.plan.on_failure:
            self.links.handle_failure(runner)
        if self.journal is None:
            for command in commands:
                self._inbox.append((runner, command))
            return
        for command in commands:
            self.queue(runner, command)

    def queue(self, runner: Runner, command: Command) -> None:
        journal = self.journal
        if journal is not None:
            if isinstance(command, CallTool):
                runner.commands[command.call] = command
                # Attempts are counted on disk, or a tool that kills its process
                # would be called again at every start.
                rests = command.attempt > 1 or not command.step.effect.looks_only
            elif isinstance(command, (Finish, AwaitResolution)):
                rests = True
                runner.lsn = self._record_state(journal, runner, command)
            else:
                rests = False
            if rests and runner.lsn > journal.durable:
                self._parked.append((runner.lsn, runner, command))
                return
        self._inbox.append((runner, command))

    def _record(
        self, journal: Journal, runner: Runner, event: Event, measured: Measured | None
    ) -> Event:
        """Append the event; what is given back has its large values outside."""
        command = runner.commands.pop(getattr(event, "call", ""), None)
        args = None if command is None else command.args
        kind, call, body, refs = body_of(event, runner.payloads, args)
        digest = None if command is None else call_digest(command, runner.payloads)
        runner.seq += 1
        wall = cpu = received = sent = memory = None
        if measured is not None:
            wall, cpu = measured.wall // 1000, measured.cpu // 1000
            memory = measured.peak_memory
            if measured.meter is not None:
                received, sent = measured.meter.bytes_in, measured.meter.bytes_out
        named = None if refs is None else to_json(refs)
        known = (runner.number, runner.seq, event.at, kind, call, digest, body, named)
        runner.lsn = journal.event((*known, wall, cpu, received, sent, memory))
        if refs is not None and self.blobs is not None:
            return with_blobs_outside(event, refs, self.blobs)
        return event

    def _record_state(
        self, journal: Journal, runner: Runner, command: Finish | AwaitResolution
    ) -> int:
        if not isinstance(command, Finish):
            runner.stands = "unknown" if command.calls else "waiting"
            return journal.state((runner.number, runner.stands, None, None, None, None))
        output, refs = runner.payloads.encode(command.output)
        named = None if refs is None else to_json(refs)
        failure = None if command.failure is None else to_json(command.failure)
        return journal.state((runner.number, command.status, now(), output, named, failure))

    def _do(self, runner: Runner, command: Command) -> None:
        match command:
            case SetTimer(call=call, due=due):
                self.set_timer(runner, call, due)
            case CancelCall(call=call):
                self._cancel_call(runner, call)
            case Evaluate():
                task = self.spawn(self._evaluate(runner, command))
                runner.work.append(task)
                task.add_done_callback(runner.work.remove)
            case AwaitResolution():
                self._stalled(runner, command)
            case Finish():
                self._finished(runner, command)
            case StartChild():
                self.links.start_child(runner, command)
            case Admit():
                self.links.admit(runner, command)
            case Refuse(call=call, failure=failure):
                self.post(runner, Refused(call, failure, now()))
            case Pull():
                runner.pulls[command.call] = self.spawn(self._pull(runner, command))

    async def _pull(self, runner: Runner, command: Pull) -> None:
        source = source_of(runner.run, runner.bindings, command)
        event = await pulled(self.hands, source, command, now)
        if runner.pulls.pop(command.call, None) is not None:
            self.post(runner, event)

    def _cancel_call(self, runner: Runner, call: str) -> None:
        runner.commands.pop(call, None)
        if (timer := runner.timers.pop(call, None)) is not None:
            timer.cancel()
        if (under_way := runner.calls.get(call)) is not None:
            self._stop_call(under_way)
        if (pull := runner.pulls.pop(call, None)) is not None:
            pull.cancel()
        self.links.stop_child(runner, call)

    def set_timer(self, runner: Runner, call: str, due: int) -> None:
        wait = max(0.0, (due - now()) / 1_000_000)
        runner.timers[call] = self._loop.call_later(wait, self._timer, runner, call)

    def _timer(self, runner: Runner, call: str) -> None:
        runner.timers.pop(call, None)
        self.post(runner, TimerFired(call, now()))

    def _reused(self, runner: Runner, command: CallTool) -> bool:
        """Whether a call is answered by a kept answer, or by one that is on its way."""
        if runner.run.finished is not None or command.call not in runner.run.calls:
            return True
        slot = command.step.slot
        connection = slot and runner.bindings.get(slot, slot)
        return self.cached.begin(runner, command, connection, runner.plan.name)

    # -- calls -------------------------------------------------------------------

    def _call(self, runner: Runner, command: CallTool) -> Coroutine[Any, Any, None] | None:
        """Call a tool. What is given back is to be awaited: the rest of a call that waits."""
        if runner.run.finished is not None or command.call not in runner.run.calls:
            return None
        step = command.step
        spec: Any = step.spec
        prepared = self.hands.ready.get(spec) or self.hands.prepared(spec)
        if self._sinks:
            self.telling.call(runner, command)
        guarded = prepared.guarded or step.slot is not None
        measured = Measured() if self._measures or guarded or step.cache else None
        slot, client = step.slot, None
        connection = slot and runner.bindings.get(slot, slot)
        if guarded and measured and self._held(runner, command, measured, prepared, connection):
            return None
        if measured and measured.hold:
            connection = measured.hold.connection  # an instance, where there are several
            client = self.hands.client(connection, measured)
        if prepared.waits or (client is None and connection is not None):
            call = self._under_way(runner, command, measured or Measured())
            call.task = self._loop.create_task(self._called(call, prepared, connection, None))
            return None
        context = self._context(runner, command) if prepared.wants_context else _NO_CONTEXT
        try:
            output = prepared.begin(client, command.args, context)
        except KeyboardInterrupt:
            raise  # it is for the whole process
        except BaseException as exc:  # noqa: BLE001  # whatever a tool does
            self._failed(runner, command, measured, prepared, connection, exc)
            return None
        if type(output) is not Waiting:
            event = CallSucceeded(command.call, output, time.time_ns() // 1000)
            if measured is None:
                self._take(runner, event)
            else:
                self._answer(runner, command, measured, event)
            return None
        measured = measured or Measured()
        measured.cpu = time.perf_counter_ns() - measured.began
        call = self._under_way(runner, command, measured)
        call.task = asyncio.current_task()
        return self._called(call, prepared, connection, output)

    def _failed(
        self,
        runner: Runner,
        command: CallTool,
        measured: Measured | None,
        prepared: Prepared,
        connection: str | None,
        exc: BaseException,
    ) -> None:
        """Answer a call that failed at once."""
        failure = prepared.fault(exc)
        if connection is not None and failure.kind is FailureKind.DENIED:
            call = self._under_way(runner, command, measured or Measured())
            again = self._refused(call, prepared, connection, failure)
            call.task = self._loop.create_task(again)
            return
        self._answer(runner, command, measured, CallFailed(command.call, failure, now()))

    def _held(
        self,
        runner: Runner,
        command: CallTool,
        measured: Measured,
        prepared: Prepared,
        connection: str | None,
    ) -> bool:
        """Whether the guards refuse the call, or have it wait: then it goes on by itself."""
        step, plan = command.step, runner.plan
        caller = Caller(runner.run_id, step.name, command.call, plan.name, plan.priority)
        is_retry = command.attempt > 1 and not runner.run.calls[command.call].losses
        hold = self.hands.guards.enter(
            prepared.name, step.effect, connection, caller, is_retry=is_retry
        )
        measured.hold = hold
        if hold.inside:
            return False
        if hold.failure is not None:
            event = CallFailed(command.call, hold.failure, now())
            self._answer(runner, command, measured, event)
            return True
        call = self._under_way(runner, command, measured)
        call.task = self._loop.create_task(self._called(call, prepared, hold.connection, None))
        return True

    def _under_way(self, runner: Runner, command: CallTool, measured: Measured) -> Call:
        call = runner.calls[command.call] = Call(runner, command, measured)
        call.deadline = self._deadlines.hold(call, command.step.timeout)
        return call

    def _answer(
        self, runner: Runner, command: CallTool, measured: Measured | None, event: Event
    ) -> None:
        """Have the answer to a call journaled and received. *measured* None: nobody watches."""
        if measured is not None:
            if measured.hold is not None:
                measured.release(event.failure if isinstance(event, CallFailed) else None)
            measured.stop()
            if not measured.cpu:  # it never waited: all of its time was the interpreter's
                measured.cpu = measured.wall
            if self._sinks:
                self.telling.metrics(runner, command, measured, event)
        if command.step.cache is not None:
            self.cached.landed(runner, command, event)
        self._take(runner, event, measured)

    async def _called(
        self, call: Call, prepared: Prepared, connection: str | None, waiting: Waiting | None
    ) -> None:
        """Make a call (or wait for one that has begun, *waiting*) and answer it."""
        runner, command = call.runner, call.command
        try:
            output: Any = waiting
            if call.measured.hold is not None and call.measured.hold.turn is not None:
                await call.measured.hold.taken()
            if waiting is None:
                wants = prepared.wants_context
                context = self._context(runner, command) if wants else _NO_CONTEXT
                plain = prepared.is_async and not prepared.takes_streams
                if connection is None and plain:  # without a coroutine more
                    output = prepared.begin_measured(None, command.args, context, call.measured)
                else:
                    output = await self._made(call, prepared, connection, context)
            if type(output) is Waiting:
                output = prepared.check(await metered(output, call.measured), output.args)
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as exc:  # noqa: BLE001  # whatever a tool does
            failure = prepared.fault(exc)
            if connection is not None and failure.kind is FailureKind.DENIED:
                await self._refused(call, prepared, connection, failure)
                return
            event: Event = CallFailed(command.call, failure, now())
        else:
            event = CallSucceeded(command.call, output, now())
        self._ended(call, event)

    async def _refused(
        self, call: Call, prepared: Prepared, connection: str, failure: Failure
    ) -> None:
        """Answer a call that was denied; made once more where its client had an old secret."""
        command = call.command
        event: Event = CallFailed(command.call, failure, now())
        try:
            if await self.hands.renewed(prepared.tool, connection, failure, call.measured):
                wants = prepared.wants_context
                context = self._context(call.runner, command) if wants else _NO_CONTEXT
                output = await self._made(call, prepared, connection, context)
                if type(output) is Waiting:
                    output = prepared.check(await metered(output, call.measured), output.args)
                event = CallSucceeded(command.call, output, now())
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as exc:  # noqa: BLE001  # whatever a tool does
            event = CallFailed(command.call, prepared.fault(exc), now())
        self._ended(call, event)

    def _ended(self, call: Call, event: Event) -> None:
        runner, command = call.runner, call.command
        if call.over:
            return
        self._end_call(call)
        try:
            self._answer(runner, command, call.measured, event)
        except Exception as exc:  # noqa: BLE001  # a bug of ours: this run alone stops
            self._give_up(runner, exc)
        self.wake()

    async def _made(
        self, call: Call, prepared: Prepared, connection: str | None, context: Context
    ) -> Any:
        runner, command, measured = call.runner, call.command, call.measured
        if prepared.takes_streams:
            taking = Taking(self.hands, runner.run, runner.bindings, command)
            return await taking.call(prepared, connection, context, measured)
        resources = command.step.resources
        return await self.hands.call(
            prepared, connection, command.args, context, measured, resources
        )

    def _end_call(self, call: Call) -> None:
        """Nobody waits for it any more."""
        call.over = True
        self._deadlines.release(call, call.deadline)
        call.runner.calls.pop(call.command.call, None)

    def _expire(self, call: Call) -> None:
        """A call is out of time: the run goes on without it, whatever the tool still does."""
        command = call.command
        failure = out_of_time(command.step, call.measured.hold)
        call.measured.release(failure)
        self._stop_call(call)
        event = CallFailed(command.call, failure, now())
        self._answer(call.runner, command, call.measured, event)
        self.wake()

    def _stop_call(self, call: Call) -> None:
        call.measured.release(None, nothing_said=True)
        self._end_call(call)
        if call.command.step.cache is not None:
            self.cached.landed(call.runner, call.command, None)
        if call.task is not None and not call.task.done():
            self._tasks.add(call.task)  # so that it is not forgotten before it has ended
            call.task.add_done_callback(self._tasks.discard)
            call.task.cancel()

    def _release(self, runner: Runner) -> None:
        """The run is over or given up: nothing of it goes on."""
        if runner.calls:
            for call in list(runner.calls.values()):
                self._stop_call(call)
        if runner.timers:
            for timer in runner.timers.values():
                timer.cancel()
            runner.timers.clear()
        if runner.work:
            for task in list(runner.work):
                task.cancel()
        for task in runner.pulls.values():
            task.cancel()
        runner.pulls.clear()
        if runner.plan.streams:
            self.spawn(self.hands.streams.close(runner.run_id))

    def _context(self, runner: Runner, command: CallTool) -> Context:
        step = command.step.name

        def say(message: str, data: dict[str, Any]) -> None:
            self.telling.line(runner, step, message, data)

        key = command.key(runner.run_id)
        return Context(runner.run_id, step, command.call, key, command.attempt, say)

    async def _evaluate(self, runner: Runner, command: Evaluate) -> None:
        if self._evaluator is None:
            self._evaluator = Evaluator()
        try:
            scope = at_hand(command.scope, [()])
            value = await self._evaluator.evaluate(
                command.kind, command.source, scope, command.now, command.seed
            )
        except ToolError as exc:
            event = Evaluated(command.place, now(), failure=exc.failure)
        else:
            event = Evaluated(command.place, now(), value)
        self.post(runner, event)

    # -- ends --------------------------------------------------------------------

    def _stalled(self, runner: Runner, command: AwaitResolution) -> None:
        if not runner.run.stalled:
            return  # a person has answered while this waited for the disk
        self.telling.stalled(runner, command.calls, command.waits)
        runner.tell()
        above = runner.parent
        while above is not None and above.stalled:
            self.stand(above, "waiting")
            above.tell()
            above = above.parent

    def _finished(self, runner: Runner, command: Finish) -> None:
        self._release(runner)
        self.runners.pop(runner.run_id, None)
        if self.journal is None:
            self._remember(runner)
        self.telling.ended(runner, command)
        runner.tell()
        if runner.parent is not None or runner.admit is not None:
            self.links.ended(runner, command)

    def _remember(self, runner: Runner) -> None:
        self.ended[runner.run_id] = runner.run
        if len(self.ended) > _REMEMBERED:
            self.ended.popitem(last=False)  # a plain dict would walk over all it ever held

    def _give_up(self, runner: Runner, exc: Exception) -> None:
        """This run cannot go on in this process, nor can those that wait for it.

        Their journals are left as they are; others need not wait for its turn.
        """
        self._release(runner)
        self.runners.pop(runner.run_id, None)
        self.links.leave(runner)
        runner.tell(exc)
        if runner.parent is not None and runner.parent.run_id in self.runners:
            self._give_up(runner.parent, exc)


_COMMANDS = frozenset(
    {SetTimer, CancelCall, Evaluate, AwaitResolution, Finish, StartChild, Admit, Refuse, Pull}
)
_NO_CONTEXT = Context()
