"""What a test would expect, had it known what was seen. Only values change: nothing is added."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from drawloom.chains.plain_edits import same as identical
from drawloom.chains.tests_schema import RUN_STATUSES, STEP_STATUSES
from drawloom.drivers.simulated import StepResult
from drawloom.testing.differences import same
from drawloom.testing.expecting import Seen, unmet
from drawloom.testing.masking import MASK, Masking


def updated(seen: Seen) -> dict[str, Any]:
    """The fields of `expect` that have other values by what was seen, with these values.

    `that`, and `contains` of a failure, are conditions of their own and stay. What is
    masked stays masked, and what looks like a secret is masked.
    """
    expect = seen.case.expect
    new = {name: _UPDATES[name](expect[name], seen) for name in _UPDATES if name in expect}
    return {name: value for name, value in new.items() if not identical(value, expect[name])}


def unmet_after(seen: Seen, new: Mapping[str, Any]) -> list[str]:
    """What would not be met even with the values *new*."""
    case = replace(seen.case, expect={**seen.case.expect, **new})
    return unmet(replace(seen, case=case))


def _status(wanted: Any, seen: Seen) -> Any:
    return seen.result.status if seen.result.status in RUN_STATUSES else wanted


def _output(wanted: Any, seen: Seen) -> Any:
    """Of a run that gave none the expected one stays: it may only be the status that is new."""
    return _kept(wanted, seen.result.output) if seen.result.status == "succeeded" else wanted


def _failure(wanted: Any, seen: Seen) -> Any:
    if (failure := seen.result.failure) is None:
        return wanted
    found = {"kind": str(failure.kind), "message": failure.message}
    return {name: _kept(value, found.get(name, value)) for name, value in wanted.items()}


def _steps(wanted: Any, seen: Seen) -> Any:
    steps = seen.result.steps
    return {
        name: _step(end, steps[name]) if name in steps else end for name, end in wanted.items()
    }


def _step(wanted: Any, found: StepResult) -> Any:
    if isinstance(wanted, str):
        return found.status if found.status in STEP_STATUSES else wanted
    now = {"status": _step(wanted.get("status", ""), found), "attempts": found.attempts}
    if found.status == "succeeded":
        now["output"] = _kept(wanted.get("output"), found.output)
    if found.failure is not None:
        now["failure"] = str(found.failure.kind)
    return {name: now.get(name, value) for name, value in wanted.items()}


def _calls(wanted: Any, seen: Seen) -> Any:
    return {step: _made(told, seen.calls(step)) for step, told in wanted.items()}


def _made(wanted: Any, calls: list[dict[str, Any]]) -> Any:
    return len(calls) if isinstance(wanted, int) else _kept(wanted, calls)


_UPDATES: Final[Mapping[str, Callable[[Any, Seen], Any]]] = {
    "status": _status,
    "output": _output,
    "failure": _failure,
    "steps": _steps,
    "calls": _calls,
}


def _kept(wanted: Any, found: Any) -> Any:
    """*found*, but what is the same, or masked, as it was written."""
    return _merged(wanted, found, Masking().mask(found))


def _merged(wanted: Any, found: Any, masked: Any) -> Any:
    if isinstance(wanted, str) and MASK in wanted:
        return wanted
    if isinstance(wanted, dict) and isinstance(found, dict):
        names = [*(n for n in wanted if n in found), *(n for n in found if n not in wanted)]
        return {
            n: _merged(wanted[n], found[n], masked[n]) if n in wanted else masked[n]
            for n in names
        }  # fmt: skip
    if isinstance(wanted, list) and isinstance(found, list):
        both = zip(wanted, found, masked, strict=False)
        return [*(_merged(*three) for three in both), *masked[len(wanted) :]]
    return wanted if same(wanted, found) else masked
