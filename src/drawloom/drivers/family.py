"""Runs that runs start: how they are named, and what the end of one means to the other."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from drawloom.chains.plan import Plan
from drawloom.chains.subchains import FAILURE_INPUT
from drawloom.dataflow.large_values import plain
from drawloom.errors import Failure, FailureKind
from drawloom.kernel import CallFailed, CallSucceeded, Event, Finish, Run
from drawloom.kernel.messages import StartChild


def is_stalled(run: Run, children: Collection[bool]) -> bool:
    """Whether nothing goes on until somebody outside does something.

    *children* tells of each run that it started, and that is under way, whether it is
    stalled itself.
    """
    if run.finished is not None or run.evaluations:
        return False
    inside = len(run.calls) - len(run.waits)
    waits = bool(run.waits or run.unknown_calls or children)
    return waits and inside == len(children) and all(children)


def child_id(run_id: str, call: str) -> str:
    """The id of the run that answers *call*: `r1.pay.2`, or `r1.pay.7.2` for an item.

    It follows from the call, so that a child is started once, whatever crashes.
    """
    return f"{run_id}.{call.replace('[', '.').replace(']', '').replace('#', '.')}"


def handler_id(run_id: str) -> str:
    """The id of the run of `on_failure`."""
    return f"{run_id}.on-failure"


def child_bindings(command: StartChild, above: Mapping[str, str]) -> dict[str, str]:
    """The connections of a sub-chain: those of the slots that its step gives it."""
    slots = command.step.child_slots
    names = {slot: slots.get(slot, slot) for slot in command.plan.slots}
    return {slot: above.get(name, name) for slot, name in names.items()}


def handler_bindings(handler: Plan, above: Mapping[str, str]) -> dict[str, str]:
    """The connections of a chain for failures: those of the same slots."""
    return {slot: above.get(slot, slot) for slot in handler.slots}


def refused(call: str, plan: Plan, why: Exception, at: int) -> CallFailed:
    """The answer where a sub-chain could not even be started."""
    return CallFailed(call, Failure(FailureKind.INVALID, f"{plan.name}: {why}"), at)


def answer(call: str, run_id: str, plan: Plan, finish: Finish, at: int) -> Event:
    """What the end of a sub-chain's run says to the step that started it."""
    if finish.status == "succeeded":
        return CallSucceeded(call, finish.output, at)
    why = finish.failure or Failure(FailureKind.DEFECT, "it ended without a word")
    details = {"run": run_id, "chain": plan.name, **(why.details or {})}
    return CallFailed(call, Failure(why.kind, f"{plan.name}: {why.message}", None, details), at)


def handler_input(run: Run, finish: Finish, handler: Plan) -> dict[str, Any]:
    """What the chain of `on_failure` is given: of what it may have, what it declares."""
    failure = finish.failure
    told: dict[str, Any] = {} if failure is None else {"kind": str(failure.kind)}
    if failure is not None:
        told |= {"message": failure.message, "details": dict(failure.details or {})}
    offered = {
        "run": run.run_id,
        "chain": run.plan.name,
        "failure": told,
        "input": plain(run.scope.get("input", {})),
    }
    declared = handler.input_schema["properties"]
    return {name: offered[name] for name in FAILURE_INPUT if name in declared}
