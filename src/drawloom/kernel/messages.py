"""What goes into the kernel (events, past tense) and what comes out (commands).

Times are integers: microseconds since 1970-01-01 (UTC), which stay exact in
I-JSON until the year 2255.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from msgspec import Struct

from drawloom.chains.plan import Plan, PlanStep
from drawloom.errors import Failure

# Events -------------------------------------------------------------------------


class Pin(Struct, frozen=True, gc=False):
    """How a step is to have ended, without a call: its output, or another end."""

    status: Literal["succeeded", "skipped", "failed"] = "succeeded"
    output: Any = None
    failure: Failure | None = None


class Started(Struct, frozen=True, gc=False, tag="started"):
    """The run began. `input` has been checked and holds its defaults.

    `pins` are steps that have ended already, as they are told to have. With
    `only`, of the others just these steps run, and the run's output is theirs.
    """

    input: dict[str, Any]
    at: int
    pins: dict[str, Pin] | None = None
    only: tuple[str, ...] | None = None


class Admitted(Struct, frozen=True, gc=False, tag="admitted"):
    """There is room for the run: the answer to `Admit`."""

    at: int


class CallSucceeded(Struct, frozen=True, gc=False, tag="succeeded"):
    """A tool call gave its output, which fits the tool's schema."""

    call: str
    output: Any
    at: int


class CallFailed(Struct, frozen=True, gc=False, tag="failed"):
    """A tool call went wrong, ran out of time, or was lost in a crash."""

    call: str
    failure: Failure
    at: int


class TimerFired(Struct, frozen=True, gc=False, tag="timer"):
    """The rest before the next attempt at `call` is over."""

    call: str
    at: int


class Evaluated(Struct, frozen=True, gc=False, tag="evaluated"):
    """The answer to `Evaluate`: a value, or why there is none."""

    place: str
    at: int
    value: Any = None
    failure: Failure | None = None


class CancelRequested(Struct, frozen=True, gc=False, tag="cancel"):
    """Somebody wants the run to stop."""

    reason: str
    at: int


class Resolved(Struct, frozen=True, gc=False, tag="resolved"):
    """A person said how a call with an unknown outcome ended, or to make it again."""

    call: str
    outcome: Literal["succeeded", "failed", "again"]
    at: int
    output: Any = None
    message: str = ""


class SignalReceived(Struct, frozen=True, gc=False, tag="signal"):
    """Somebody sent the signal `name`; kept until a step waits for it."""

    name: str
    payload: Any
    at: int


class Approved(Struct, frozen=True, gc=False, tag="approved"):
    """A person said yes or no; `answers` fit the form."""

    call: str
    by: str
    approve: bool
    at: int
    answers: dict[str, Any] = {}
    comment: str = ""


class Pulled(Struct, frozen=True, gc=False, tag="pulled"):
    """The next items of a stream: the answer to `Pull`.

    `after` is the cursor behind them, `done` that none follow. `items` is None
    at replay: the journal keeps only where the stream stood.
    """

    call: str
    at: int
    count: int
    after: Any
    done: bool
    items: list[Any] | None = None


class Refused(Struct, frozen=True, gc=False, tag="refused"):
    """Items of a stream do not fit where they go: the answer to `Refuse`."""

    call: str
    failure: Failure
    at: int


Event: TypeAlias = (
    Started
    | Admitted
    | CallSucceeded
    | CallFailed
    | TimerFired
    | Evaluated
    | CancelRequested
    | Resolved
    | SignalReceived
    | Approved
    | Pulled
    | Refused
)

# Commands -----------------------------------------------------------------------


class CallTool(Struct, frozen=True, gc=False):
    """Call the tool of `step` with `args`; answer under the id `call`."""

    call: str
    step: PlanStep
    args: dict[str, Any]
    attempt: int
    item: int | None = None
    passes: int = 0  # of a repeat: those before this one

    def key(self, run_id: str) -> str:
        """The idempotency key of the call: that of every attempt at it, and of no other call."""
        item = "" if self.item is None else f"[{self.item}]"
        again = f"*{self.passes}" if self.passes else ""
        return f"{run_id}/{self.step.name}{item}{again}"


class StartChild(Struct, frozen=True, gc=False):
    """Start a run of `plan` with `input`; its end is the answer to `call`."""

    call: str
    step: PlanStep
    plan: Plan
    input: dict[str, Any]


class Pull(Struct, frozen=True, gc=False):
    """Read up to `most` items of the stream that `step` opens with `args`, behind `after`."""

    call: str
    step: PlanStep
    args: dict[str, Any]
    after: Any
    most: int


class Refuse(Struct, frozen=True, gc=False):
    """Answer with `Refused(call, failure)`: what only live items can tell is journaled so."""

    call: str
    failure: Failure


class Admit(Struct, frozen=True, gc=False):
    """Answer with `Admitted` as soon as fewer than `limit` runs with this `key` are under way."""

    key: str
    limit: int
    priority: int


class SetTimer(Struct, frozen=True, gc=False):
    """Send `TimerFired(call)` at the instant `due`."""

    call: str
    due: int


class CancelCall(Struct, frozen=True, gc=False):
    """Stop `call`; its answer, if it still comes, changes nothing."""

    call: str


class Evaluate(Struct, frozen=True, gc=False):
    """Evaluate what is too large for the loop, and answer with `Evaluated(place)`."""

    place: str
    kind: Literal["condition", "template", "list"]
    source: Any
    scope: dict[str, Any]
    now: int
    seed: int


class AwaitResolution(Struct, frozen=True, gc=False):
    """Nothing goes on until somebody outside says how these calls ended.

    Of `calls` the outcome is unknown; `waits` are signals and approvals to come.
    """

    calls: tuple[str, ...]
    waits: tuple[str, ...] = ()


class Finish(Struct, frozen=True, gc=False):
    """The run is over; its status never changes again."""

    status: Literal["succeeded", "failed", "cancelled"]
    output: Any = None
    failure: Failure | None = None


Command: TypeAlias = (
    CallTool
    | StartChild
    | Pull
    | Refuse
    | Admit
    | SetTimer
    | CancelCall
    | Evaluate
    | AwaitResolution
    | Finish
)
