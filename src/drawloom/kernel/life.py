"""The state of one step of one run, or of one item of its `for_each`."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

from drawloom.chains.plan import PlanStep
from drawloom.errors import Failure
from drawloom.kernel.table import WAITING, Status


class Life:
    """What is known of a step (or item) so far. `Run` alone changes it."""

    __slots__ = (
        "args",
        "attempt",
        "base",
        "began",
        "call",
        "cut",
        "dead",
        "due",
        "ended",
        "failure",
        "fan",
        "fetch",
        "item",
        "losses",
        "output",
        "owner",
        "passes",
        "position",
        "remaining",
        "scope",
        "settled",
        "since",
        "status",
        "step",
        "votes",
    )

    def __init__(self, step: PlanStep, scope: dict[str, Any]) -> None:
        self.step = step
        self.scope = scope
        self.status: Status = WAITING
        self.remaining = step.need_count  # needs that have not ended
        self.dead = 0  # needs that ended otherwise than wanted
        self.attempt = 0  # calls in all
        self.base = 0  # of those, calls before the present pass
        self.passes = 0  # of a repeat: how often it succeeded
        self.losses = 0
        self.call = ""  # the id of the current or last call
        self.began = 0  # when the first attempt began
        self.since = 0  # when the first attempt of the present pass began
        self.ended = 0  # when it reached its last status
        self.due = 0  # when a rest or a wait is over
        # None also where a stream's items would have to be read again for them.
        self.args: Any = None
        self.output: Any = None  # of the last pass
        self.failure: Failure | None = None
        self.item: int | None = None
        self.owner: Life | None = None  # of an item: its step
        self.fan: Fan | None = None  # of a for_each: its items
        self.position: Any = None  # of a stream's items: where they stand (`Position`)
        self.fetch: Puller | None = None  # of those: reads them again
        self.votes: dict[str, Any] | None = None  # of an approval: who said what
        self.cut = False  # it was asked to stop, and is waited for
        self.settled = False

    @property
    def place(self) -> str:
        """`late`, or `tell[7]` for an item."""
        return self.step.name if self.item is None else f"{self.step.name}[{self.item}]"

    def next_call(self) -> str:
        """The id of the next attempt: used once, so that a stale answer is known as one."""
        return f"{self.place}#{self.attempt + 1}"


class Position(NamedTuple):
    """Where items of a stream stand: the cursors before and after them, and how many they are."""

    before: Any
    items: int
    after: Any


class Puller(Life):
    """The reading of the next items of a stream, or (for *target*) of some once more."""

    __slots__ = ("after", "most", "target")

    def __init__(
        self, step: PlanStep, owner: Life, index: int, after: Any, target: Life | None = None
    ) -> None:
        super().__init__(step, owner.scope)
        self.owner, self.item = owner, index
        self.after = after
        self.most = owner.step.batch or 1
        self.target = target

    @property
    def place(self) -> str:
        """`load<7` where item 7 is to come, `load[7]<` where it comes again."""
        if self.target is not None:
            return f"{self.target.place}<"
        assert self.owner is not None
        return f"{self.owner.place}<{self.item}"


class Stream:
    """Where a `for_each` over a stream stands."""

    __slots__ = ("after", "args", "exhausted", "pulling", "step")

    def __init__(self, step: PlanStep, args: dict[str, Any]) -> None:
        self.step = step
        self.args = args
        self.after: Any = None
        self.exhausted = False
        self.pulling: Puller | None = None


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
        "rows",
        "stream",
        "unknown",
    )

    def __init__(self, items: list[Any], stream: Stream | None = None) -> None:
        self.items = items
        self.stream = stream
        self.rows: list[Any] | None = None  # of an enrichment: what is to be completed
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
    def over(self) -> bool:
        """Whether there is no further item to begin."""
        if self.stream is not None:
            return self.stream.exhausted
        return self.next == len(self.items)

    @property
    def total(self) -> int | None:
        """How many items there are; None while a stream has not come to its end."""
        if self.stream is None:
            return len(self.items)
        return self.next if self.stream.exhausted else None

    @property
    def done(self) -> int:
        return self.next - len(self.lives)

    @property
    def outputs(self) -> list[Any]:
        """What the items gave, in their order, without those that gave nothing."""
        return [r for r in self.results if r is not NO_OUTPUT]
