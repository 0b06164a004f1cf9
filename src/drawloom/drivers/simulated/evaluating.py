"""Expressions that are too large for a loop; in a simulation nobody else waits for them."""

from __future__ import annotations

from typing import Any

from drawloom.dataflow.expressions import FULL
from drawloom.dataflow.references import Condition, Evaluation, Template, listing
from drawloom.errors import ExpressionInvalid, Failure, FailureKind, ValueInvalid
from drawloom.kernel import Evaluate, Evaluated


def evaluated(command: Evaluate, at: int) -> Evaluated:
    """The answer to *command*."""
    evaluation = Evaluation(FULL, command.now * 1000, command.seed)
    try:
        if command.kind == "condition":
            value: Any = Condition(command.source).holds(command.scope, evaluation)
        elif command.kind == "list":
            value = listing(command.source).fill(command.scope, evaluation)
        else:
            value = Template(command.source).fill(command.scope, evaluation)
    except (ExpressionInvalid, ValueInvalid) as exc:
        return Evaluated(command.place, at, failure=Failure(FailureKind.INVALID, str(exc)))
    return Evaluated(command.place, at, value)
