"""Tell whoever watches what happens: facts are only made where there is a sink."""

from __future__ import annotations

from typing import Any

from drawloom.drivers.embedded.clock import now
from drawloom.drivers.embedded.runner import Runner
from drawloom.drivers.measuring import reused, tool_call
from drawloom.facts import (
    CallStarted,
    Fact,
    Line,
    RunEnded,
    RunStalled,
    RunStarted,
    Sink,
    StepEnded,
)
from drawloom.kernel import CallFailed, CallTool, Event, Finish
from drawloom.runtime.calling import Measured


class Telling:
    """The sinks of one engine. Falsy while nobody watches."""

    __slots__ = ("sinks",)

    def __init__(self) -> None:
        self.sinks: list[Sink] = []

    def __bool__(self) -> bool:
        return bool(self.sinks)

    def fact(self, fact: Fact) -> None:
        for sink in self.sinks:
            sink(fact)

    def started(self, runner: Runner, at: int, *, resumed: bool = False) -> None:
        if self.sinks:
            parent = runner.parent.run_id if runner.parent is not None else ""
            self.fact(RunStarted(runner.run_id, runner.plan.name, at, resumed, parent))

    def stalled(self, runner: Runner, calls: tuple[str, ...], waits: tuple[str, ...]) -> None:
        if self.sinks:
            self.fact(RunStalled(runner.run_id, calls, now(), waits))

    def ended(self, runner: Runner, finish: Finish) -> None:
        if self.sinks:
            name, status = runner.plan.name, finish.status
            self.fact(RunEnded(runner.run_id, name, status, now(), finish.failure))

    def steps(self, runner: Runner) -> None:
        """The steps that the last event brought to their end."""
        ended = runner.run.ended
        for life in ended:
            self.fact(StepEnded(runner.run_id, life.step.name, life.status, life.ended))
        ended.clear()

    def call(self, runner: Runner, command: CallTool) -> None:
        fan = runner.run.lives[command.step.index].fan
        self.fact(
            CallStarted(
                runner.run_id,
                command.step.name,
                command.call,
                command.attempt,
                now(),
                command.item,
                None if fan is None else fan.total,
            )
        )

    def reused(self, runner: Runner, command: CallTool, age: str) -> None:
        """A call was answered by what an earlier one gave."""
        if self.sinks:
            self.fact(reused(runner.run_id, command, age, now()))

    def begun(self, runner: Runner, step: str, call: str) -> None:
        """What is no tool call has begun."""
        if self.sinks:
            life = runner.run.calls[call]
            self.fact(CallStarted(runner.run_id, step, call, life.attempt, now(), life.item))

    def metrics(self, runner: Runner, command: CallTool, measured: Measured, event: Event) -> None:
        failure = event.failure if isinstance(event, CallFailed) else None
        self.fact(tool_call(runner.run_id, command.call, command, measured, event.at, failure))

    def line(self, runner: Runner, step: str, message: str, data: dict[str, Any]) -> None:
        if self.sinks:
            self.fact(Line(runner.run_id, step, message, data, now()))
