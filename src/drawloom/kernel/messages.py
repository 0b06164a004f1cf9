"""What goes into the kernel (events, past tense) and what comes out (commands).

Times are integers: microseconds since 1970-01-01 (UTC), which stay exact in
I-JSON until the year 2255.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from msgspec import Struct

from drawloom.chains.plan import PlanStep
from drawloom.errors import Failure

# Events -------------------------------------------------------------------------


class Started(Struct, frozen=True, gc=False, tag="started"):
    """The run began. `input` has been checked and holds its defaults."""

    input: dict[str, Any]
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


Event: TypeAlias = (
    Started | CallSucceeded | CallFailed | TimerFired | Evaluated | CancelRequested | Resolved
)

# Commands -----------------------------------------------------------------------


class CallTool(Struct, frozen=True, gc=False):
    """Call the tool of `step` with `args`; answer under the id `call`."""

    call: str
    step: PlanStep
    args: dict[str, Any]
    attempt: int
    item: int | None = None


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
    """Nothing goes on until a person has said how these calls ended."""

    calls: tuple[str, ...]


class Finish(Struct, frozen=True, gc=False):
    """The run is over; its status never changes again."""

    status: Literal["succeeded", "failed", "cancelled"]
    output: Any = None
    failure: Failure | None = None


Command: TypeAlias = CallTool | SetTimer | CancelCall | Evaluate | AwaitResolution | Finish
