"""Runs that belong together: sub-chains, chains for failures, and runs that wait their turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drawloom.drivers.embedded.clock import now
from drawloom.drivers.embedded.runner import Runner
from drawloom.drivers.family import (
    answer,
    child_bindings,
    child_id,
    handler_bindings,
    handler_id,
    handler_input,
    refused,
)
from drawloom.drivers.turns import Turns
from drawloom.errors import DrawloomError
from drawloom.kernel import CancelRequested, Finish
from drawloom.kernel.messages import Admit, Admitted, StartChild

if TYPE_CHECKING:
    from drawloom.drivers.embedded.pump import Pump
    from drawloom.drivers.embedded.starts import Starts


class Links:
    """Starts, stops and answers runs that other runs started."""

    def __init__(self, starts: Starts, pump: Pump) -> None:
        self._starts = starts
        self._pump = pump
        self._turns = Turns()

    # -- sub-chains --------------------------------------------------------------

    def start_child(self, parent: Runner, command: StartChild) -> None:
        """Start the run that answers a call, unless the call has been given up meanwhile."""
        if parent.run.finished is not None or command.call not in parent.run.calls:
            return
        try:
            child = self._starts.start_linked(
                command.plan,
                command.input,
                child_id(parent.run_id, command.call),
                child_bindings(command, parent.bindings),
                (parent, command.call),
            )
        except DrawloomError as exc:
            self._pump.post(parent, refused(command.call, command.plan, exc, now()))
            return
        parent.children[command.call] = child
        self._pump.telling.begun(parent, command.step.name, command.call)

    def stop_child(self, parent: Runner, call: str) -> None:
        """Ask the run that answers *call* to stop; its end still answers."""
        child = parent.children.get(call)
        if child is not None:
            why = f"run {parent.run_id}, which started it, stops"
            self._pump.post(child, CancelRequested(why, now()))

    def ended(self, runner: Runner, finish: Finish) -> None:
        """A run is over: answer who started it, and let the next one begin."""
        parent = runner.parent
        if parent is not None:
            call = runner.parent_call
            parent.children.pop(call, None)
            self._pump.post(parent, answer(call, runner.run_id, runner.plan, finish, now()))
        self.leave(runner)

    def handle_failure(self, runner: Runner) -> None:
        """Start the chain of `on_failure`; once, whatever crashes."""
        finish = runner.run.finished
        run_id = handler_id(runner.run_id)
        if finish is None or finish.status != "failed" or self._starts.knows(run_id):
            return
        handler = runner.plan.children[runner.plan.on_failure]
        bindings = handler_bindings(handler, runner.bindings)
        given = handler_input(runner.run, finish, handler)
        self._starts.start_linked(handler, given, run_id, bindings, None)

    # -- turns -------------------------------------------------------------------

    def admit(self, runner: Runner, command: Admit) -> None:
        """Let a run begin, or have it wait for its turn."""
        runner.admit = command
        if self._turns.come(runner.plan.name, runner.run_id, command):
            self._pump.stand(runner, "running")  # after a restart it may have waited before
            self._pump.post(runner, Admitted(now()))
        else:
            self._pump.stand(runner, "queued")

    def resume_turn(self, runner: Runner, command: Admit) -> None:
        """After a restart: who had its turn has it, who waited waits on."""
        if runner.run.admitted:
            runner.admit = command
            self._turns.take(runner.plan.name, runner.run_id, command)

    def leave(self, runner: Runner) -> None:
        """A run needs its turn no more: the next ones begin."""
        if runner.admit is None:
            return
        for run_id in self._turns.leave(runner.plan.name, runner.run_id, runner.admit):
            other = self._pump.runners.get(run_id)
            if other is not None:
                self._pump.stand(other, "running")
                self._pump.post(other, Admitted(now()))
