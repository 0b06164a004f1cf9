"""The facts of runs and calls. Instants are microseconds since 1970 (UTC)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from msgspec import Struct

from drawloom.errors import Failure


class RunStarted(Struct, frozen=True, gc=False, tag="run-started"):
    """A run began, or was taken up again after a restart (`resumed`); `parent` started it."""

    run: str
    chain: str
    at: int
    resumed: bool = False
    parent: str = ""


class CallStarted(Struct, frozen=True, gc=False, tag="call-started"):
    """A tool call was dispatched. `total` is the number of items of a `for_each`."""

    run: str
    step: str
    call: str
    attempt: int
    at: int
    item: int | None = None
    total: int | None = None


class ToolCall(Struct, frozen=True, gc=False, tag="tool-call"):
    """The metrics of one finished call. Times are in microseconds, sizes in bytes.

    `cpu` is the time that the call held the interpreter; bytes are None where
    no door could count them, `peak_memory` where the call had no process of its own.
    `waited` is the part of `wall` that passed before the call was made, in a queue
    or for a rate. `instance` took the call, where the connection has several.
    `cached` is `fresh` or `stale` where an answer was used again and no call made.
    A call that fetches such an answer anew beside the runs has no `run` and no `call`.
    """

    run: str
    step: str
    call: str
    tool: str
    attempt: int
    at: int
    wall: int
    cpu: int
    failure: Failure | None = None
    item: int | None = None
    bytes_in: int | None = None
    bytes_out: int | None = None
    peak_memory: int | None = None
    waited: int = 0
    instance: str | None = None
    cached: str = ""


class CallQueued(Struct, frozen=True, gc=False, tag="call-queued"):
    """A call has to wait before it is made.

    `limit` says for what: a place of the `connection`, the `tool`, the `chain` or
    `all` calls, or the `rate` of the connection.
    """

    run: str
    step: str
    call: str
    tool: str
    connection: str | None
    limit: str
    at: int


class CallRefused(Struct, frozen=True, gc=False, tag="call-refused"):
    """A call was not made, for the guards refused it.

    `limit` says which: `breaker`, `retry-budget`, `instances` (none is well), or one
    that `CallQueued` names, where too many waited or the turn did not come in time.
    """

    run: str
    step: str
    call: str
    tool: str
    connection: str | None
    limit: str
    at: int
    retry_after: float | None = None


class InstanceChanged(Struct, frozen=True, gc=False, tag="instance-changed"):
    """An instance of a connection is left out from now on (`ejected`), or is `back`.

    `why` is `breaker`, and then it is so for `tool` alone, or `health-check`.
    """

    connection: str
    instance: str
    state: str
    why: str
    at: int
    tool: str = ""


class StepEnded(Struct, frozen=True, gc=False, tag="step-ended"):
    """A step reached a final status (or `unknown`)."""

    run: str
    step: str
    status: str
    at: int


class RunStalled(Struct, frozen=True, gc=False, tag="run-stalled"):
    """A run waits for a person to say how `calls` ended, or for what `waits` wait for."""

    run: str
    calls: tuple[str, ...]
    at: int
    waits: tuple[str, ...] = ()


class RunEnded(Struct, frozen=True, gc=False, tag="run-ended"):
    """A run is over."""

    run: str
    chain: str
    status: str
    at: int
    failure: Failure | None = None


class BreakerChanged(Struct, frozen=True, gc=False, tag="breaker-changed"):
    """The circuit breaker of a tool on a connection is `open`, `half-open` or `closed` now."""

    tool: str
    connection: str | None
    state: str
    at: int


class PoolChanged(Struct, frozen=True, gc=False, tag="pool-changed"):
    """How full the pool of a connection is now: `size` of `most` are open, `idle` of them free.

    `waiting` calls wait for one. Told after a change, a few times a second at most.
    """

    connection: str
    size: int
    idle: int
    waiting: int
    most: int
    at: int


class Line(Struct, frozen=True, gc=False, tag="line"):
    """A line that a tool wrote to the run's log."""

    run: str
    step: str
    message: str
    data: dict[str, Any]
    at: int


Fact: TypeAlias = (
    BreakerChanged
    | InstanceChanged
    | PoolChanged
    | RunStarted
    | CallStarted
    | CallQueued
    | CallRefused
    | ToolCall
    | StepEnded
    | RunStalled
    | RunEnded
    | Line
)

# A sink is called on the event loop and must be quick; it never raises.
Sink: TypeAlias = Callable[[Fact], None]
