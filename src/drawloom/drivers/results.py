"""How a run and its steps ended, as every driver tells it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from drawloom.dataflow.large_values import plain
from drawloom.errors import Failure
from drawloom.kernel import Run
from drawloom.kernel.life import Life


@dataclass(frozen=True, slots=True)
class StepResult:
    """How a step ended, or stands. `seconds` is from its first call to its end."""

    status: str
    attempts: int = 0
    seconds: float = 0.0
    output: Any = None
    failure: Failure | None = None
    items_done: int | None = None
    items_total: int | None = None


class Result:
    """How a run ended, or stands while it waits for a person.

    `status` is `succeeded`, `failed`, `cancelled`, or `unknown`; then `unknown`
    names the calls whose outcome somebody has to tell. It is `waiting` where
    only somebody outside can end what is under way: `waits` names the calls of
    signals and approvals (none where a run that it started waits).
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        finished = run.finished
        self.run = run.run_id
        self.chain = run.plan.name
        self.unknown = run.unknown_calls
        self.waits = tuple(run.waits)
        open_status = "unknown" if self.unknown else "waiting"
        self.status: str = open_status if finished is None else finished.status
        self.output = None if finished is None else plain(finished.output)
        self.failure = None if finished is None else finished.failure

    @property
    def kernel(self) -> Run:
        """The run as the kernel left it."""
        return self._run

    @cached_property
    def steps(self) -> dict[str, StepResult]:
        """Every step by its name, in the order in which they may run."""
        return {life.step.name: step_result(self._run, life) for life in self._run.lives}

    def __repr__(self) -> str:
        return f"<run {self.run} of {self.chain}: {self.status}>"


def step_result(run: Run, life: Life) -> StepResult:
    """How one step stands."""
    fan = life.fan
    status: str = life.status
    if fan is not None and fan.unknown and not fan.busy and status == "running":
        status = "unknown"
    return StepResult(
        status,
        life.attempt,
        (life.ended - life.began) / 1_000_000 if life.ended and life.began else 0.0,
        plain(run.scope["steps"].get(life.step.name)),
        life.failure if status != "succeeded" else None,
        None if fan is None else fan.done,
        None if fan is None else fan.total,
    )
