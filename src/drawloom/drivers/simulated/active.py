"""A simulated run that is under way."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from drawloom.drivers.simulated.clock import Alarm
from drawloom.kernel import Run
from drawloom.kernel.messages import Admit


class Active:
    """A run that is under way: its kernel, its calls, and who waits for it."""

    def __init__(self, run: Run, bindings: Mapping[str, str]) -> None:
        self.run = run
        self.bindings = bindings
        self.calls: dict[str, tuple[asyncio.Task[None], Alarm]] = {}
        self.waiters: list[asyncio.Future[None]] = []
        self.parent: Active | None = None
        self.parent_call = ""
        self.children: dict[str, Active] = {}
        self.timers: dict[str, Alarm] = {}
        self.admit: Admit | None = None

    @property
    def stalled(self) -> bool:
        """Whether nothing goes on here or below until somebody outside does something."""
        run = self.run
        inside = len(run.calls) - len(run.waits)
        return (
            inside == len(self.children)
            and bool(run.waits or run.unknown_calls or self.children)
            and not run.evaluations
            and all(child.stalled for child in self.children.values())
        )

    def tell(self, exc: Exception | None = None) -> None:
        for waiter in self.waiters:
            if waiter.done():
                continue
            if exc is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(exc)
        self.waiters.clear()
