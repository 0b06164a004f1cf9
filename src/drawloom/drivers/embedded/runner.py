"""One run under way: its kernel, its place in the journal, and its calls."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from drawloom.chains.plan import Plan
from drawloom.drivers.embedded.codec import Payloads
from drawloom.errors import Failure
from drawloom.kernel import CallTool, Run
from drawloom.kernel.life import Life
from drawloom.runtime.calling import Measured


class Call:
    """A tool call that was dispatched and has not been answered."""

    __slots__ = ("command", "deadline", "measured", "over", "runner", "task")

    def __init__(self, runner: Runner, command: CallTool, measured: Measured) -> None:
        self.runner = runner
        self.command = command
        self.measured = measured
        self.task: asyncio.Task[Any] | None = None
        self.deadline: Any = None
        self.over = False  # answered, cancelled or out of time: what it still says is ignored


class Runner:
    """A run and what the driver keeps beside it."""

    __slots__ = (
        "bindings",
        "calls",
        "commands",
        "lsn",
        "number",
        "payloads",
        "plan",
        "run",
        "run_id",
        "seq",
        "started_at",
        "timers",
        "waiters",
        "work",
    )

    def __init__(
        self,
        run_id: str,
        number: int,
        plan: Plan,
        run: Run,
        bindings: Mapping[str, str],
        payloads: Payloads,
    ) -> None:
        self.run_id = run_id
        self.number = number
        self.plan = plan
        self.run = run
        self.bindings = bindings
        self.payloads = payloads
        self.waiters: list[asyncio.Future[None]] = []
        self.seq = 0
        self.lsn = 0
        self.started_at = 0
        self.calls: dict[str, Call] = {}
        self.commands: dict[str, CallTool] = {}  # not answered yet, for their digests
        self.timers: dict[str, asyncio.TimerHandle] = {}
        self.work: set[asyncio.Task[None]] = set()  # evaluations

    async def ended(self) -> None:
        """Wait until the run is over, or waits for a person; raises why it cannot go on."""
        waiter = asyncio.get_running_loop().create_future()
        self.waiters.append(waiter)
        await waiter

    def tell(self, exc: BaseException | None = None) -> None:
        """Let go whoever waits for this run."""
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            if waiter.done():
                continue
            if exc is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(exc)


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
    names the calls whose outcome somebody has to tell.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        finished = run.finished
        self.run = run.run_id
        self.chain = run.plan.name
        self.unknown = run.unknown_calls
        self.status: str = "unknown" if finished is None else finished.status
        self.output = None if finished is None else finished.output
        self.failure = None if finished is None else finished.failure

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
        run.scope["steps"].get(life.step.name),
        life.failure if status != "succeeded" else None,
        None if fan is None else fan.done,
        None if fan is None else len(fan.items),
    )
