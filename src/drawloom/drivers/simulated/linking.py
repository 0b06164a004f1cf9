"""Simulated runs that belong together: sub-chains, chains for failures, turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from drawloom.drivers.family import (
    answer,
    child_bindings,
    child_id,
    handler_bindings,
    handler_id,
    handler_input,
    refused,
)
from drawloom.drivers.simulated.active import Active
from drawloom.drivers.simulated.clock import Clock
from drawloom.drivers.turns import Turns
from drawloom.errors import ValueInvalid
from drawloom.kernel import CancelRequested, Event, Finish
from drawloom.kernel.messages import Admit, Admitted, StartChild

Post: TypeAlias = Callable[[Active, Event], None]
Begin: TypeAlias = Callable[..., Active]


class Links:
    """Starts, stops and answers runs that other runs started."""

    def __init__(
        self, begin: Begin, post: Post, active: Mapping[str, Active], clock: Clock
    ) -> None:
        self._begin = begin
        self._post = post
        self._active = active
        self._clock = clock
        self._turns = Turns()

    def start_child(self, active: Active, command: StartChild) -> None:
        run_id = child_id(active.run.run_id, command.call)
        bindings = child_bindings(command, active.bindings)
        try:
            child = self._begin(command.plan, command.input, run_id, bindings)
        except ValueInvalid as exc:
            answered = refused(command.call, command.plan, exc, self._clock.now)
            self._post(active, answered)
            return
        child.parent, child.parent_call = active, command.call
        active.children[command.call] = child

    def stop_child(self, active: Active, call: str) -> None:
        if (child := active.children.get(call)) is not None:
            why = f"run {active.run.run_id}, which started it, stops"
            self._post(child, CancelRequested(why, self._clock.now))

    def admit(self, active: Active, command: Admit) -> None:
        active.admit = command
        if self._turns.come(active.run.plan.name, active.run.run_id, command):
            self._post(active, Admitted(self._clock.now))

    def ended(self, active: Active, finish: Finish) -> None:
        """A run is over: answer who started it, let the next begin, and handle its failure."""
        run, now = active.run, self._clock.now
        if (parent := active.parent) is not None:
            parent.children.pop(active.parent_call, None)
            self._post(parent, answer(active.parent_call, run.run_id, run.plan, finish, now))
        if active.admit is not None:
            for run_id in self._turns.leave(run.plan.name, run.run_id, active.admit):
                if run_id in self._active:
                    self._post(self._active[run_id], Admitted(now))
        if finish.status == "failed" and run.plan.on_failure:
            handler = run.plan.children[run.plan.on_failure]
            bindings = handler_bindings(handler, active.bindings)
            given = handler_input(run, finish, handler)
            self._begin(handler, given, handler_id(run.run_id), bindings)
