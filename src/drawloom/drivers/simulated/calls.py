"""The tool calls of simulated runs: through guards and cache, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeAlias

from drawloom.drivers.cached import CachedCalls
from drawloom.drivers.late import out_of_time
from drawloom.drivers.measuring import reused, tool_call
from drawloom.drivers.simulated.active import Active, UnderWay
from drawloom.drivers.simulated.clock import Clock
from drawloom.errors import Failure
from drawloom.facts import Fact
from drawloom.kernel import CallFailed, CallSucceeded, CallTool, Event
from drawloom.policies.cache import Age
from drawloom.runtime.caching import Answers
from drawloom.runtime.calling import Hands, Prepared
from drawloom.runtime.guarding import Caller
from drawloom.sdk import Tool

Answer: TypeAlias = Callable[[Active, CallTool, Tool], Awaitable[Any]]
Spawn: TypeAlias = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]


class Calls:
    """Makes, stops and answers calls.

    *answer* gives the output of a tool, *post* has an event received, *spawn* makes a
    task that time waits for, *tell* is given facts.
    """

    def __init__(
        self,
        hands: Hands,
        clock: Clock,
        answers: Answers[tuple[Active, CallTool]],
        answer: Answer,
        post: Callable[[Active, Event], None],
        spawn: Spawn,
        tell: Callable[[Fact], None],
    ) -> None:
        self._hands = hands
        self._clock = clock
        self._answer = answer
        self._post = post
        self._spawn = spawn
        self._tell = tell
        self._cached: CachedCalls[Active] = CachedCalls(
            answers, hands, post, self._again, spawn, self._reused
        )

    def begin(self, active: Active, command: CallTool) -> None:
        """Carry out *command*: by a kept answer, or by a call that the guards let through."""
        step, slot = command.step, command.step.slot
        tool: Any = step.spec
        connection = None if slot is None else active.bindings.get(slot, slot)
        if step.cache is not None and self._cached.begin(
            active, command, connection, active.run.plan.name
        ):
            return
        call = UnderWay(command, connection)
        prepared = self._hands.prepared(tool)
        if prepared.guarded or connection is not None:
            self._enter(active, call)
        hold = call.measured.hold
        if hold is not None and hold.failure is not None:
            self._ended(active, call, CallFailed(command.call, hold.failure, self._clock.now))
            return
        call.began = self._clock.now
        due = call.began + round(step.timeout * 1_000_000)
        call.alarm = self._clock.at(due, lambda: self._expire(active, call))
        active.calls[command.call] = call
        call.task = self._spawn(self._called(active, call, prepared))

    def _enter(self, active: Active, call: UnderWay) -> None:
        command, run = call.command, active.run
        step, plan = command.step, run.plan
        caller = Caller(run.run_id, step.name, command.call, plan.name, plan.priority)
        is_retry = command.attempt > 1 and not run.calls[command.call].losses
        hold = self._hands.guards.enter(
            step.tool, step.effect, call.connection, caller, is_retry=is_retry
        )
        call.measured.hold, call.connection = hold, hold.connection

    async def _called(self, active: Active, call: UnderWay, prepared: Prepared) -> None:
        command, hold = call.command, call.measured.hold
        event: Event
        try:
            if hold is not None and hold.turn is not None:
                await self._clock.until(hold.turn)
                await hold.taken()
            output = await self._answer(active, command, prepared.tool)
        except asyncio.CancelledError as exc:
            if active.calls.get(command.call) is not call:
                return
            event = CallFailed(command.call, prepared.fault(exc), self._clock.now)
        except (Exception, SystemExit) as exc:  # noqa: BLE001  # whatever a tool does
            event = CallFailed(command.call, prepared.fault(exc), self._clock.now)
        else:
            event = CallSucceeded(command.call, output, self._clock.now)
        if active.calls.get(command.call) is call:
            del active.calls[command.call]
            call.alarm.cancel()
            self._ended(active, call, event)

    def _ended(self, active: Active, call: UnderWay, event: CallFailed | CallSucceeded) -> None:
        """Give back what the call holds, tell what it cost, and have it received."""
        failure = event.failure if isinstance(event, CallFailed) else None
        command, measured, at = call.command, call.measured, self._clock.now
        measured.release(failure)
        measured.wall, measured.cpu = (at - call.began) * 1000, 0
        run_id = active.run.run_id
        self._tell(tool_call(run_id, command.call, command, measured, at, failure))
        if command.step.cache is not None:
            self._cached.landed(active, command, event)
        self._post(active, event)

    def _expire(self, active: Active, call: UnderWay) -> None:
        if active.calls.get(call.command.call) is not call:
            return
        failure: Failure = out_of_time(call.command.step, call.measured.hold)
        call.measured.release(failure)
        self._let_go(active, call)
        self._ended(active, call, CallFailed(call.command.call, failure, self._clock.now))

    def stop(self, active: Active, name: str) -> None:
        """Nobody waits for a call any more."""
        call = active.calls.get(name)
        if call is not None:
            call.measured.release(None, nothing_said=True)
            self._let_go(active, call)
            if isinstance(call.command, CallTool) and call.command.step.cache is not None:
                self._cached.landed(active, call.command, None)

    def _let_go(self, active: Active, call: UnderWay) -> None:
        del active.calls[call.command.call]
        call.alarm.cancel()
        if call.task is not None:
            call.task.cancel()

    def _again(self, active: Active, command: CallTool) -> None:
        """Make a call that has waited for the answer of another one, which did not come."""
        if active.run.finished is None and command.call in active.run.calls:
            self.begin(active, command)

    def _reused(self, active: Active, command: CallTool, age: Age) -> None:
        self._tell(reused(active.run.run_id, command, age, self._clock.now))
