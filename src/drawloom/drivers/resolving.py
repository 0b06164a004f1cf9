"""What a person says of a call with an unknown outcome, checked alike for every driver."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from drawloom.dataflow.validation import validator_for
from drawloom.dataflow.values import encode_value
from drawloom.errors import ValueInvalid
from drawloom.kernel import Resolved, Run

Resolution: TypeAlias = Literal["succeeded", "failed", "again"]


def resolved(
    run: Run, call: str, outcome: Resolution, at: int, output: Any = None, message: str = ""
) -> Resolved:
    """The event that settles *call* at the instant *at* (microseconds).

    Raises `ValueInvalid` where the run does not wait for that call, or *output*
    does not fit the tool's output schema.
    """
    waiting = run.unknown_calls
    if call not in waiting:
        known = ", ".join(waiting) or "nothing"
        raise ValueInvalid(f"run {run.run_id} does not wait for {call!r}; it waits for {known}")
    if outcome == "succeeded":
        step = run.plan.step_of(call)
        validator_for(dict(step.spec.output_schema)).check(output, where="output")
        output = encode_value(output)
    return Resolved(call, outcome, at, output, message)
