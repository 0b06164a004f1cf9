"""Fetch a kept answer anew, beside the runs that are given the old one (RFC 5861)."""

from __future__ import annotations

import asyncio
from typing import Any

from drawloom.drivers.measuring import tool_call
from drawloom.errors import Failure
from drawloom.kernel import CallFailed, CallSucceeded, CallTool
from drawloom.runtime.calling import Hands, Measured, Prepared, Waiting, metered
from drawloom.runtime.clock import within
from drawloom.runtime.guarding import Caller
from drawloom.sdk import Context


class Refresh:
    """One such call. It passes the guards as any other does, but never waits for a turn:
    it is `refused` where it would stand in the way of calls that a run waits for.
    """

    def __init__(
        self, hands: Hands, command: CallTool, connection: str | None, chain: str
    ) -> None:
        self._hands = hands
        self._command = command
        self._measured = Measured()
        step, tool = command.step, command.step.tool
        caller = Caller("", step.name, "", chain, patient=False)
        hold = hands.guards.enter(tool, step.effect, connection, caller)
        self._measured.hold = hold
        self._connection = hold.connection
        self.refused = hold.failure is not None

    async def fetch(self) -> CallSucceeded | CallFailed:
        """The new answer, or why there is none. It is measured, and told, with no run."""
        command, measured, guards = self._command, self._measured, self._hands.guards
        tool: Any = command.step.spec
        prepared = self._hands.prepared(tool)
        failure: Failure | None = None
        output = None
        try:
            output = await within(guards.clock, command.step.timeout, self._output(prepared))
        except asyncio.CancelledError:
            measured.release(None, nothing_said=True)
            raise
        except Exception as exc:  # noqa: BLE001  # the old answer holds on
            failure = prepared.fault(exc)
        measured.release(failure)
        measured.stop()
        at = guards.clock.instant()
        if guards.tell is not None:
            guards.tell(tool_call("", "", command, measured, at, failure))
        if failure is not None:
            return CallFailed(command.call, failure, at)
        return CallSucceeded(command.call, output, at)

    async def _output(self, prepared: Prepared) -> Any:
        """What the tool gives; asked once more where its client had an old secret."""
        try:
            return await self._called(prepared)
        except Exception as exc:
            failure, tool = prepared.fault(exc), prepared.tool
            if not await self._hands.renewed(tool, self._connection, failure, self._measured):
                raise
        return await self._called(prepared)

    async def _called(self, prepared: Prepared) -> Any:
        command, measured = self._command, self._measured
        context = Context(step=command.step.name)
        output = await self._hands.call(
            prepared,
            self._connection,
            command.args,
            context,
            measured,
            command.step.resources,
        )
        if type(output) is Waiting:
            output = prepared.check(await metered(output, measured), output.args)
        return output
