"""Read streams for runs: on for a `for_each` (`Pull`), or within a call of a tool that takes one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import msgspec

from drawloom.chains.plan import PlanStep
from drawloom.errors import Failure, FailureKind, ToolError
from drawloom.kernel import CallFailed, CallTool, Run, streaming
from drawloom.kernel.messages import Pull, Pulled
from drawloom.runtime.calling import Hands, Measured, Prepared, Waiting, metered
from drawloom.runtime.guarding import Caller
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
        opens, call = given[streaming.KEY]["args"], self.command.call
        reader = (self.run.run_id, f"{call}.{name}")
        caller = _caller(self.run, step, call)._replace(within=True)
        connection = _connection(step, self.bindings)
        return Source(reader, _tool_of(step), step.effect, connection, opens, caller)


def _caller(run: Run, step: PlanStep, call: str) -> Caller:
    return Caller(run.run_id, step.name, call, run.plan.name, run.plan.priority)


def _connection(step: PlanStep, bindings: Mapping[str, str]) -> str | None:
    return None if step.slot is None else bindings.get(step.slot, step.slot)


def _tool_of(step: PlanStep) -> Tool:
    spec: Any = step.spec
    return cast(Tool, spec)


def source_of(run: Run, bindings: Mapping[str, str], command: Pull) -> Source:
    """What a `for_each` reads: the same reader from its first item to its last."""
    step, call = command.step, command.call
    reader = (run.run_id, call.partition("#")[0].partition("<")[0])
    connection, caller = _connection(step, bindings), _caller(run, step, call)
    return Source(
        reader, _tool_of(step), step.effect, connection, command.args, caller, step.timeout
    )


async def pulled(
    hands: Hands, source: Source, command: Pull, now: Callable[[], int]
) -> CallFailed | Pulled:
    """The answer to *command*. Cancelling it closes the stream."""
    step, call = command.step, command.call
    run = source.caller.run
    context = Context(run, step.name, call, after=command.after, batch=command.most)
    is_retry = not call.endswith("#1")
    try:
        chunk = await hands.streams.pull(source, context, is_retry=is_retry)
        if call.partition("#")[0].endswith("<"):  # read once more for one item alone
            await hands.streams.close(*source.reader)
    except TimeoutError:
        message = f"{step.tool} gave nothing within {step.timeout:g} s"
        return CallFailed(call, Failure(FailureKind.TIMEOUT, message), now())
    except Exception as exc:  # noqa: BLE001  # whatever a tool does
        return CallFailed(call, hands.failure_of(source.tool, exc), now())
    if chunk is None:
        return Pulled(call, now(), 0, command.after, True, [])
    return Pulled(call, now(), len(chunk.items), chunk.after, False, chunk.items)
