"""How failures are told: to expressions, and with the place that they come from."""

from __future__ import annotations

from typing import Any

from drawloom.errors import Failure, FailureKind
from drawloom.kernel.life import Life


def describe(failure: Failure) -> dict[str, Any]:
    """A failure as `failures.x` shows it to expressions."""
    shown: dict[str, Any] = {"kind": str(failure.kind), "message": failure.message}
    if failure.details:
        shown["details"] = dict(failure.details)
    return shown


def of_step(life: Life, failure: Failure) -> Failure:
    """The failure of a run, because of a step."""
    details = {"step": life.step.name, **(failure.details or {})}
    return Failure(failure.kind, f"{life.step.name}: {failure.message}", None, details)


def of_output(failure: Failure) -> Failure:
    """The failure of a run, because of its output."""
    details = {"place": "output", **(failure.details or {})}
    return Failure(failure.kind, f"the chain's output: {failure.message}", None, details)


def of_mapping(life: Life, exc: Exception) -> Failure:
    """The failure of a step or item whose condition or arguments cannot be had."""
    return Failure(FailureKind.INVALID, str(exc), details={"place": life.place})
