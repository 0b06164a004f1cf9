"""Read streams for runs: on for a `for_each` (`Pull`), or within a call of a tool that takes one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import msgspec

from drawloom.chains.plan import PlanStep
from drawloom.errors import Failure, FailureKind, ToolError
from drawloom.kernel import CallFailed, CallTool, Run, streaming
from drawloom.kernel.messages import Pull, Pulled
from drawloom.runtime.calling import Hands, Measured, Prepared, Waiting, metered
from drawloom.runtime.streams import Source
from drawloom.sdk import Context, Tool


@dataclass(frozen=True, slots=True)
class Taking:
    """A call of a tool that takes streams: they are open while it is under way."""

    hands: Hands
    run: Run
    bindings: Mapping[str, str]
    command: CallTool

    async def call(
        self, prepared: Prepared, connection: str | None, context: Context, measured: Measured
    ) -> Any:
        """The tool's checked output. What goes wrong is raised; see `Hands.failure_of`."""
        hands = self.hands
        try:
            output = await hands.call(prepared, connection, self._args(), context, measured)
            if type(output) is Waiting:
                output = prepared.check(await metered(output, measured), output.args)
            return output
        finally:
            await hands.streams.close(self.run.run_id, self.command.call)

    def _args(self) -> dict[str, Any]:
        given, tool = self.command.args, _tool_of(self.command.step)
        rest = {name: value for name, value in given.items() if name not in tool.stream_inputs}
        args: dict[str, Any] = rest if tool.readonly_input else msgspec.to_builtins(rest)
        for name in tool.stream_inputs:
            if name in given:
                args[name] = self.hands.streams.taken(tool, name, self._source(name, given[name]))
        return args

    def _source(self, name: str, given: Any) -> list[Any] | Source:
        if isinstance(given, list):
            return given
        step = streaming.source_of(self.run.plan, self.command.step.arguments, (name,))
        if step is None:  # it only looks like a stream
            message = f"{name}: a stream is given by a reference to its step alone"
            raise ToolError(Failure(FailureKind.INVALID, message, None, {"pointer": f"/{name}"}))
        slot, opens = step.slot, given[streaming.KEY]["args"]
        connection = None if slot is None else self.bindings.get(slot, slot)
        call = self.command.call
        return Source(self.run.run_id, call, step.name, _tool_of(step), connection, opens)


def _tool_of(step: PlanStep) -> Tool:
    spec: Any = step.spec
    return cast(Tool, spec)


async def pulled(
    hands: Hands, run_id: str, connection: str | None, command: Pull, now: Callable[[], int]
) -> Pulled | CallFailed:
    """The answer to *command*. Cancelling it closes the stream."""
    tool: Any = command.step.spec
    reader = (run_id, command.call.partition("#")[0].partition("<")[0])
    context = Context(
        run_id, command.step.name, command.call, after=command.after, batch=command.most
    )
    try:
        async with asyncio.timeout(command.step.timeout):
            chunk = await hands.streams.pull(reader, tool, connection, command.args, context)
        if command.call.partition("#")[0].endswith("<"):  # read once more for one item alone
            await hands.streams.close(*reader)
    except TimeoutError:
        message = f"{command.step.tool} gave nothing within {command.step.timeout:g} s"
        return CallFailed(command.call, Failure(FailureKind.TIMEOUT, message), now())
    except Exception as exc:  # noqa: BLE001  # whatever a tool does
        return CallFailed(command.call, hands.failure_of(tool, exc), now())
    if chunk is None:
        return Pulled(command.call, now(), 0, command.after, True, [])
    return Pulled(command.call, now(), len(chunk.items), chunk.after, False, chunk.items)
