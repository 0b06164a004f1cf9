"""The metrics of a call, as a fact."""

from __future__ import annotations

from drawloom.errors import Failure
from drawloom.facts import ToolCall
from drawloom.kernel import CallTool
from drawloom.runtime.calling import Measured


def tool_call(
    run: str, call: str, command: CallTool, measured: Measured, at: int, failure: Failure | None
) -> ToolCall:
    """What *command* cost, which ended at *at* with *failure*, or well."""
    meter, hold = measured.meter, measured.hold
    return ToolCall(
        run,
        command.step.name,
        call,
        command.step.tool,
        command.attempt,
        at,
        measured.wall // 1000,
        measured.cpu // 1000,
        failure,
        command.item,
        None if meter is None else meter.bytes_in,
        None if meter is None else meter.bytes_out,
        measured.peak_memory,
        0 if hold is None else hold.waited,
        None if hold is None else hold.instance,
    )


def reused(run: str, command: CallTool, age: str, at: int) -> ToolCall:
    """A call that was answered by what an earlier one gave."""
    where = (run, command.step.name, command.call, command.step.tool)
    return ToolCall(*where, command.attempt, at, 0, 0, item=command.item, cached=age)
