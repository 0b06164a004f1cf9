"""`repeat`: a step is called again until its condition holds, or too often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drawloom.dataflow.expressions import OverBudget
from drawloom.errors import ExpressionInvalid, Failure, FailureKind, ValueInvalid
from drawloom.kernel.failures import of_mapping
from drawloom.kernel.life import Life
from drawloom.kernel.messages import SetTimer

if TYPE_CHECKING:
    from drawloom.kernel.run import Run


def scope_of(life: Life) -> dict[str, Any]:
    """The scope in which `steps.NAME` is what the step itself gave in its last pass."""
    steps = {**life.scope["steps"], life.step.name: life.output}
    return {**life.scope, "steps": steps}


def ended(run: Run, life: Life, output: Any) -> None:
    """A pass succeeded: the step has, or it goes on."""
    life.output = output
    life.passes += 1
    judge(run, life)


def judge(run: Run, life: Life) -> None:
    """Whether the condition holds now."""
    again = life.step.repeat
    assert again is not None
    place = f"{life.place}?until"
    try:
        if place in run._evaluated:
            holds = bool(run._evaluated.pop(place))
        else:
            holds = again.until.holds(scope_of(life), run._evaluation)
    except OverBudget:
        run._ask(life, place, "condition", again.until.source, again.until.reads, scope_of(life))
        return
    except (ValueInvalid, ExpressionInvalid) as exc:
        run._give_up(life, of_mapping(life, exc))
        return
    if holds:
        output, life.output = life.output, None
        run._ended_well(life, output)
    elif run._halting(life):
        run._cut_short(life)
    elif life.passes >= again.limit:
        details = {"place": life.place, "passes": life.passes}
        message = f"`{again.until.source}` did not hold after {life.passes} passes"
        run._give_up(life, Failure(FailureKind.CONFLICT, message, None, details))
    elif again.delay:
        life.due = run._at + round(again.delay * 1_000_000)
        run._move(life, "rest")
        run.calls[life.call] = life
        run._commands.append(SetTimer(life.call, life.due))
    else:
        go_on(run, life)


def go_on(run: Run, life: Life) -> None:
    """The next pass, with arguments that may read what the last one gave."""
    kept = life.scope
    if life.step.reads_self:
        life.scope = scope_of(life)
    try:
        args = run._arguments(life)
    except OverBudget:
        return
    except (ValueInvalid, ExpressionInvalid) as exc:
        run._give_up(life, of_mapping(life, exc))
        return
    finally:
        life.scope = kept
    life.base, life.losses, life.since = life.attempt, 0, run._at
    run._call(life, args)


def resume(run: Run, life: Life) -> None:
    """What had to be evaluated elsewhere is there."""
    if f"{life.place}?until" in run._evaluated:
        judge(run, life)
    else:
        go_on(run, life)
