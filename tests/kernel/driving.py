"""A run that a test drives by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, TypeVar

from drawloom.chains import Plan, compile_chain, load
from drawloom.dataflow.expressions import Budget
from drawloom.errors import Failure, FailureKind
from drawloom.kernel import (
    CallFailed,
    CallSucceeded,
    CallTool,
    CancelCall,
    CancelRequested,
    Command,
    Evaluate,
    Evaluated,
    Event,
    Finish,
    Resolved,
    Run,
    SetTimer,
    Started,
    TimerFired,
)
from drawloom.policies import Effect

C = TypeVar("C")

SECOND = 1_000_000
BEGAN = 1_700_000_000 * SECOND
SMALL = Budget(steps=300, seconds=None)
LARGE = "$sum($map([1..400], function($x){$x}))"  # more than SMALL allows


def plan_of(text: str) -> Plan:
    """A plan whose tools `t.pure`, `t.read`, … have the effect that they are named after."""
    return compile_chain(load(text), _tool)


def _tool(name: str) -> Any:
    effect = Effect(name.partition(".")[2])
    schema: dict[str, Any] = {"type": "object"}
    return SimpleNamespace(
        name=name, effect=effect, connection=None, timeout=None, input_schema=schema,
        output_schema={},
    )  # fmt: skip


class Driven:
    """A run and the commands that it gave last. Time stands still unless a test moves it."""

    def __init__(
        self,
        text: str,
        *,
        begin: bool = True,
        run_id: str = "r1",
        input: dict[str, Any] | None = None,
    ) -> None:
        self.plan = plan_of(text)
        self.run = Run(self.plan, run_id, budget=SMALL)
        self.at = BEGAN
        self.commands: list[Command] = []
        self.journal: list[Event] = []
        if begin:
            self.feed(Started(self.plan.accept_input(input), self.at))

    # -- events: each gives the commands ----------------------------------------

    def feed(self, event: Event) -> list[Command]:
        self.journal.append(event)
        self.commands = self.run.receive(event)
        return self.commands

    def succeed(self, call: str, output: Any = None) -> list[Command]:
        return self.feed(CallSucceeded(call, output, self.at))

    def fail(
        self, call: str, kind: FailureKind = FailureKind.INVALID, **more: Any
    ) -> list[Command]:
        return self.feed(CallFailed(call, Failure(kind, f"it is {kind}", **more), self.at))

    def wake(self, call: str) -> list[Command]:
        return self.feed(TimerFired(call, self.at))

    def cancel(self, reason: str = "enough") -> list[Command]:
        return self.feed(CancelRequested(reason, self.at))

    def resolve(self, call: str, outcome: Any, output: Any = None) -> list[Command]:
        return self.feed(Resolved(call, outcome, self.at, output))

    def evaluated(
        self, place: str, value: Any = None, failure: Failure | None = None
    ) -> list[Command]:
        return self.feed(Evaluated(place, self.at, value, failure))

    # -- what there is -----------------------------------------------------------

    def given(self, kind: type[C]) -> list[C]:
        return [command for command in self.commands if isinstance(command, kind)]

    @property
    def calls(self) -> list[str]:
        """The calls made by the last event."""
        return [command.call for command in self.given(CallTool)]

    @property
    def cut(self) -> list[str]:
        """The calls stopped by the last event."""
        return [command.call for command in self.given(CancelCall)]

    @property
    def asked(self) -> list[str]:
        """The places that the last event had evaluated elsewhere."""
        return [command.place for command in self.given(Evaluate)]

    @property
    def finish(self) -> Finish | None:
        return self.run.finished

    @property
    def timer(self) -> SetTimer:
        [timer] = self.given(SetTimer)
        return timer

    def status(self, step: str) -> str:
        return next(life.status for life in self.run.lives if life.step.name == step)

    @property
    def statuses(self) -> dict[str, str]:
        return {life.step.name: life.status for life in self.run.lives}

    def failure(self, step: str) -> Failure:
        [found] = [life.failure for life in self.run.lives if life.step.name == step]
        assert found is not None
        return found
