"""`compensate`: when a run fails or is cancelled, what succeeded is undone, the last first.

One at a time, when every step has ended. An undo is retried like any call; one
that fails for good is told with the run's failure, and the others go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drawloom.dataflow.expressions import OverBudget
from drawloom.errors import ExpressionInvalid, Failure, ValueInvalid
from drawloom.kernel.failures import of_mapping
from drawloom.kernel.life import Life

if TYPE_CHECKING:
    from drawloom.kernel.run import Run


class Saga:
    """What could be undone, what is being undone, and what became of it."""

    __slots__ = ("failed", "now", "undoable", "undone")

    def __init__(self) -> None:
        self.undoable: list[tuple[Life, Any]] = []  # what succeeded, and what it gave
        self.now: Life | None = None
        self.undone: list[str] = []
        self.failed: dict[str, dict[str, Any]] = {}


def go_on(run: Run) -> bool:
    """Undo what is next; False where nothing is left."""
    saga = run.saga
    while saga.now is None and saga.undoable:
        done, output = saga.undoable.pop()
        assert done.step.undo is not None
        life = Life(done.step.undo, {**done.scope, "output": output})
        life.item = done.item
        saga.now = life
        call(run, life)
    return saga.now is not None


def call(run: Run, life: Life) -> None:
    """Evaluate its arguments, and call the tool that undoes it."""
    try:
        run._call(life, run._arguments(life))
    except OverBudget:
        pass  # asked for elsewhere
    except (ValueInvalid, ExpressionInvalid) as exc:
        run._give_up(life, of_mapping(life, exc))


def undone(run: Run, life: Life) -> None:
    run._move(life, "succeed")
    run.saga.undone.append(_named(life))
    run.saga.now = None


def not_undone(run: Run, life: Life, failure: Failure) -> None:
    run.saga.failed[_named(life)] = {"kind": str(failure.kind), "message": failure.message}
    run.saga.now = None


def told(run: Run, failure: Failure) -> Failure:
    """The run's failure, with what was undone and what could not be."""
    saga = run.saga
    if not saga.undone and not saga.failed:
        return failure
    report: dict[str, Any] = {"undone": list(saga.undone)}
    message = failure.message
    if saga.failed:
        report["failed"] = dict(saga.failed)
        message += f"; could not undo {', '.join(saga.failed)}"
    return Failure(failure.kind, message, None, {**(failure.details or {}), "undo": report})


def _named(life: Life) -> str:
    return life.step.undoes if life.item is None else f"{life.step.undoes}[{life.item}]"
