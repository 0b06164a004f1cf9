"""One run under way: its kernel, its place in the journal, and its calls."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from drawloom.chains.plan import Plan
from drawloom.drivers.embedded.codec import Payloads
from drawloom.drivers.family import is_stalled
from drawloom.kernel import CallTool, Run
from drawloom.kernel.messages import Admit
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
        "admit",
        "bindings",
        "calls",
        "children",
        "commands",
        "failed",
        "finals",
        "lsn",
        "number",
        "parent",
        "parent_call",
        "payloads",
        "plan",
        "pulls",
        "run",
        "run_id",
        "seq",
        "stands",
        "started_at",
        "timers",
        "told",
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
        self.finals: list[asyncio.Future[None]] = []
        self.told = False  # that it is over, waits for a person, or cannot go on
        self.failed: BaseException | None = None  # why it cannot
        self.parent: Runner | None = None  # the run that started it
        self.parent_call = ""  # and the call of that one which its end answers
        self.children: dict[str, Runner] = {}  # under way, by the call that they answer
        self.admit: Admit | None = None  # where it waits for its turn, or has it
        self.stands = "running"  # what the store says of it
        self.seq = 0
        self.lsn = 0
        self.started_at = 0
        self.calls: dict[str, Call] = {}
        self.commands: dict[str, CallTool] = {}  # not answered yet, for their digests
        self.timers: dict[str, asyncio.TimerHandle] = {}
        self.pulls: dict[str, asyncio.Task[None]] = {}  # streams that are being read on
        self.work: list[asyncio.Task[None]] = []  # evaluations

    @property
    def stalled(self) -> bool:
        """Whether nothing goes on here or below until somebody outside does something."""
        return is_stalled(self.run, [child.stalled for child in self.children.values()])

    async def ended(self) -> None:
        """Wait until the run is over, or waits for a person; raises why it cannot go on.

        At once where that has been told already: who asks late hears it, too.
        """
        if self.told:
            if self.failed is not None:
                raise self.failed
            return
        waiter = asyncio.get_running_loop().create_future()
        self.waiters.append(waiter)
        await waiter

    async def over(self) -> None:
        """Wait until the run is over, whatever it waits for; raises why it cannot go on."""
        if self.failed is not None:
            raise self.failed
        if self.run.finished is None or not self.told:
            waiter = asyncio.get_running_loop().create_future()
            self.finals.append(waiter)
            await waiter

    def tell(self, exc: BaseException | None = None) -> None:
        """Let go whoever waits for this run, now or later."""
        self.told, self.failed = True, exc
        waiters, self.waiters = self.waiters, []
        if exc is not None or self.run.finished is not None:
            waiters += self.finals
            self.finals = []
        for waiter in waiters:
            if waiter.done():
                continue
            if exc is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(exc)
