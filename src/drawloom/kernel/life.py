"""The state of one step of one run, or of one item of its `for_each`."""

from __future__ import annotations

from collections import deque
from typing import Any

from drawloom.chains.plan import PlanStep
from drawloom.errors import Failure
from drawloom.kernel.table import WAITING, Status


class Life:
    """What is known of a step (or item) so far. `Run` alone changes it."""

    __slots__ = (
        "args",
        "attempt",
        "began",
        "call",
        "dead",
        "due",
        "ended",
        "failure",
        "fan",
        "item",
        "losses",
        "owner",
        "remaining",
        "scope",
        "settled",
        "status",
        "step",
    )

    def __init__(self, step: PlanStep, scope: dict[str, Any]) -> None:
        self.step = step
        self.scope = scope
        self.status: Status = WAITING
        self.remaining = step.need_count  # needs that have not ended
        self.dead = 0  # needs that ended otherwise than wanted
        self.attempt = 0
        self.losses = 0
        self.call = ""  # the id of the current or last call
        self.began = 0  # when the first attempt began
        self.ended = 0  # when it reached its last status
        self.due = 0  # when a rest is over
        self.args: Any = None
        self.failure: Failure | None = None
        self.item: int | None = None
        self.owner: Life | None = None  # of an item: its step
        self.fan: Fan | None = None  # of a for_each: its items
        self.settled = False

    @property
    def place(self) -> str:
        """`late`, or `tell[7]` for an item."""
        return self.step.name if self.item is None else f"{self.step.name}[{self.item}]"

    def next_call(self) -> str:
        """The id of the next attempt: used once, so that a stale answer is known as one."""
        return f"{self.place}#{self.attempt + 1}"


class _NoOutput:
    """Where an item gave nothing: skipped, or failed and continued."""

    __slots__ = ()


NO_OUTPUT = _NoOutput()


class Fan:
    """The items of one `for_each`: only those under way have a life of their own."""

    __slots__ = (
        "again",
        "cut",
        "failing",
        "failures",
        "halted",
        "items",
        "lives",
        "next",
        "queued",
        "results",
        "unknown",
    )

    def __init__(self, items: list[Any]) -> None:
        self.items = items
        self.results: list[Any] = [NO_OUTPUT] * len(items)
        self.next = 0
        self.lives: dict[int, Life] = {}
        self.unknown = 0
        self.again: deque[Life] = deque()  # of those: a person has them called again
        self.failures: list[dict[str, Any]] = []
        self.failing: Failure | None = None
        self.halted = False  # the run stops
        self.cut = False  # an item under way was cancelled
        self.queued = False

    @property
    def busy(self) -> int:
        """Items under way, those that wait for a person left out."""
        return len(self.lives) - self.unknown

    @property
    def done(self) -> int:
        return self.next - len(self.lives)

    @property
    def outputs(self) -> list[Any]:
        """What the items gave, in their order, without those that gave nothing."""
        return [r for r in self.results if r is not NO_OUTPUT]
