"""Simulated runs that are under way, and the start keys that they began with."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from drawloom.drivers.family import is_stalled
from drawloom.drivers.simulated.clock import Alarm
from drawloom.drivers.starting import other_input
from drawloom.kernel import Run
from drawloom.kernel.messages import Admit
from drawloom.runtime.calling import Measured


class UnderWay:
    """A call, or one reading of a stream, that has not been answered."""

    __slots__ = ("alarm", "began", "command", "connection", "measured", "task")

    def __init__(self, command: Any, connection: str | None = None) -> None:
        self.command = command
        self.connection = connection  # an instance, where there are several
        self.measured = Measured()
        self.began = 0  # microseconds since 1970, once it is under way
        self.alarm = Alarm(lambda: None)  # its deadline
        self.task: asyncio.Task[None] | None = None


class Active:
    """A run that is under way: its kernel, its calls, and who waits for it."""

    def __init__(self, run: Run, bindings: Mapping[str, str]) -> None:
        self.run = run
        self.bindings = bindings
        self.calls: dict[str, UnderWay] = {}
        self.waiters: list[asyncio.Future[None]] = []
        self.parent: Active | None = None
        self.parent_call = ""
        self.children: dict[str, Active] = {}
        self.timers: dict[str, Alarm] = {}
        self.admit: Admit | None = None

    @property
    def stalled(self) -> bool:
        """Whether nothing goes on here or below until somebody outside does something."""
        return is_stalled(self.run, [child.stalled for child in self.children.values()])

    def tell(self, exc: Exception | None = None) -> None:
        for waiter in self.waiters:
            if waiter.done():
                continue
            if exc is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(exc)
        self.waiters.clear()


class StartKeys:
    """Which run began with a start key, for each chain."""

    def __init__(self) -> None:
        self._runs: dict[tuple[str, str], tuple[str, Run]] = {}

    def first(self, chain: str, key: str, given: Any) -> str | None:
        """The run that began with *key*. Raises `ValueInvalid` if its input was another."""
        found = self._runs.get((chain, key))
        if found is None:
            return None
        run_id, run = found
        if run.scope.get("input", given) != given:
            raise other_input(key, run_id)
        return run_id

    def note(self, chain: str, key: str, run_id: str, run: Run) -> None:
        self._runs[chain, key] = (run_id, run)
