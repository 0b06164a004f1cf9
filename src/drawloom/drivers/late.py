"""A call that is out of time."""

from __future__ import annotations

from drawloom.chains.plan import PlanStep
from drawloom.errors import Failure, FailureKind
from drawloom.runtime.guarding import Hold


def out_of_time(step: PlanStep, hold: Hold | None) -> Failure:
    """What it fails with; a call that still waits for its turn cannot have done anything."""
    if hold is not None and not hold.inside:
        message = f"{step.tool} was not called: no turn came within {step.timeout:g} s"
        return Failure(FailureKind.THROTTLED, message, harmless=True)
    message = f"{step.tool} gave no answer within {step.timeout:g} s"
    return Failure(FailureKind.TIMEOUT, message)
