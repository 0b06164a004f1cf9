"""Compare how a run ended with what its test expects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from drawloom.dataflow.expressions import FULL
from drawloom.dataflow.references import Condition, Evaluation
from drawloom.drivers.simulated import Result, StepResult
from drawloom.errors import ExpressionInvalid, Failure, ValueInvalid
from drawloom.testing.case import Case
from drawloom.testing.differences import differences, shown
from drawloom.testing.engine import calls_by_step
from drawloom.testing.script import Script


@dataclass(frozen=True, slots=True)
class Seen:
    """A test that was run, how its run ended, and which calls it made."""

    case: Case
    result: Result
    script: Script

    def calls(self, step: str) -> list[dict[str, Any]]:
        """The arguments of each call of *step*, in order."""
        return [dict(made.args) for made in self.script.made_by(step)]


def unmet(seen: Seen) -> list[str]:
    """Each expectation that is not met, as a line that names its place; none if all are."""
    expect, result = seen.case.expect, seen.result
    found = [*_status(expect, result), *_failure(expect, result)]
    if "output" in expect and (not found or result.status == "succeeded"):
        found += differences(expect["output"], result.output, "output")
    for step, wanted in expect.get("steps", {}).items():
        found += _step(step, wanted, result)
    for step, wanted in expect.get("calls", {}).items():
        found += _calls(step, wanted, seen.calls(step))
    if conditions := expect.get("that"):
        scope = _scope(seen)
        found += [line for source in conditions for line in _condition(source, scope)]
    return found


def _status(expect: Mapping[str, Any], result: Result) -> Iterator[str]:
    wanted = expect.get("status", "failed" if "failure" in expect else "succeeded")
    if result.status == wanted:
        return
    why = f": {result.failure}" if result.failure is not None else ""
    waits = ", ".join((*result.unknown, *result.waits))
    why = f"{why} (it waits for {waits})" if waits else why
    yield f"status: expected {wanted}, got {result.status}{why}"


def _failure(expect: Mapping[str, Any], result: Result) -> Iterator[str]:
    wanted = expect.get("failure")
    if wanted is None or result.failure is None:
        return  # the status says that there is none
    found = result.failure
    if wanted.get("kind", found.kind) != found.kind:
        yield f"failure.kind: expected {wanted['kind']}, got {found.kind}"
    if wanted.get("message", found.message) != found.message:
        yield f"failure.message: expected {wanted['message']!r}, got {found.message!r}"
    if wanted.get("contains", "") not in found.message:
        yield f"failure.contains: {wanted['contains']!r} is not in {found.message!r}"


def _step(name: str, wanted: Any, result: Result) -> Iterator[str]:
    at = f"steps.{name}"
    found = result.steps.get(name)
    if found is None:
        yield f"{at}: the chain has no such step; `steps` speaks of the chain itself"
        return
    fields = {"status": wanted} if isinstance(wanted, str) else wanted
    yield from _step_fields(at, fields, found)


def _step_fields(at: str, wanted: Mapping[str, Any], found: StepResult) -> Iterator[str]:
    if wanted.get("status", found.status) != found.status:
        why = f": {found.failure}" if found.failure is not None else ""
        yield f"{at}.status: expected {wanted['status']}, got {found.status}{why}"
    if wanted.get("attempts", found.attempts) != found.attempts:
        yield f"{at}.attempts: expected {wanted['attempts']}, got {found.attempts}"
    if "output" in wanted:
        yield from differences(wanted["output"], found.output, f"{at}.output")
    kind = None if found.failure is None else str(found.failure.kind)
    if wanted.get("failure", kind) != kind:
        yield f"{at}.failure: expected {wanted['failure']}, got {kind or 'none'}"


def _calls(step: str, wanted: Any, made: list[dict[str, Any]]) -> Iterator[str]:
    number = wanted if isinstance(wanted, int) else len(wanted)
    if len(made) != number:
        with_ = f": {shown(made)}" if made else ""
        yield f"calls.{step}: expected {number}, got {len(made)}{with_}"
    elif not isinstance(wanted, int):
        yield from differences(wanted, made, f"calls.{step}")


def _scope(seen: Seen) -> dict[str, Any]:
    result, kernel = seen.result, seen.result.kernel.scope
    return {
        "output": result.output,
        "status": result.status,
        "failure": _as_data(result.failure),
        "input": kernel.get("input", dict(seen.case.input)),
        "steps": kernel.get("steps", {}),
        "failures": {
            name: _as_data(step.failure) for name, step in result.steps.items() if step.failure
        },
        "calls": {
            step: [dict(a) for a in args] for step, args in calls_by_step(seen.script).items()
        },
    }


def _as_data(failure: Failure | None) -> dict[str, Any] | None:
    if failure is None:
        return None
    return {"kind": str(failure.kind), "message": failure.message}


def _condition(source: str, scope: dict[str, Any]) -> Iterator[str]:
    try:
        if not Condition(source).holds(scope, Evaluation(FULL)):
            yield f"that: `{source}` is not true; output is {shown(scope['output'])}"
    except (ExpressionInvalid, ValueInvalid) as exc:
        yield f"that: `{source}`: {exc}"
