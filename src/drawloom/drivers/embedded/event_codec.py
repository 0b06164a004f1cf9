"""Events to journal rows and back: one writer and one reader for each kind of row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from drawloom.dataflow.large_values import LargeValue, Shelf, plain
from drawloom.drivers.embedded.codec import (
    Payloads,
    Refs,
    failure_from,
    outside,
    restored,
    to_json,
)
from drawloom.errors import StateUnusable
from drawloom.kernel import (
    CallFailed,
    CallSucceeded,
    CancelRequested,
    Evaluated,
    Event,
    Pin,
    Resolved,
    Started,
    TimerFired,
)
from drawloom.kernel.messages import Admitted, Approved, Pulled, Refused, SignalReceived

# `(kind, call, body, refs)`: body is JSON, refs say where in it payloads and blobs belong.
Row: TypeAlias = tuple[str, str | None, str | None, Refs]


def body_of(event: Event, payloads: Payloads, args: Mapping[str, Any] | None = None) -> Row:
    """`(kind, call, body, refs)` of an event; *args* are those of the call that it answers."""
    if type(event) is CallSucceeded:  # by far the commonest
        return "succeeded", event.call, *payloads.encode(event.output, args)
    return _WRITERS[type(event)](event, payloads)


def _started(event: Started, payloads: Payloads) -> Row:
    if event.pins is None and event.only is None:
        return "started", None, *payloads.encode(event.input)
    pins = msgspec.to_builtins(event.pins or {})
    part = {"input": event.input, "pins": pins, "only": event.only}
    return "started in part", None, *payloads.encode(part)


def _evaluated(event: Evaluated, payloads: Payloads) -> Row:
    if event.failure is None:
        return "evaluated", event.place, *payloads.encode(event.value)
    return "not evaluated", event.place, to_json(event.failure), None


def _resolved(event: Resolved, payloads: Payloads) -> Row:
    told = [event.outcome, event.message, event.output]
    return "resolved", event.call, to_json(told), None


def _approved(event: Approved, payloads: Payloads) -> Row:
    said = [event.by, event.approve, event.answers, event.comment]
    return "approved", event.call, to_json(said), None


_WRITERS: Final[dict[type, Callable[[Any, Payloads], Row]]] = {
    Started: _started,
    Admitted: lambda event, payloads: ("admitted", None, None, None),
    CallFailed: lambda event, payloads: ("failed", event.call, to_json(event.failure), None),
    TimerFired: lambda event, payloads: ("timer", event.call, None, None),
    CancelRequested: lambda event, payloads: ("cancel", None, to_json(event.reason), None),
    Evaluated: _evaluated,
    Resolved: _resolved,
    SignalReceived: lambda event, payloads: (
        "signal", event.name, *payloads.encode(event.payload)
    ),
    Approved: _approved,
    Pulled: lambda event, payloads: (
        "pulled", event.call, to_json([event.count, event.after, event.done]), None
    ),
    Refused: lambda event, payloads: ("refused", event.call, to_json(event.failure), None),
}  # fmt: skip


def with_blobs_outside(event: Event, refs: Refs, shelf: Shelf) -> Event:
    """What the kernel is given: of what may stay outside, only what stands for it."""
    if type(event) is CallSucceeded and not isinstance(event.output, LargeValue):
        return CallSucceeded(event.call, outside(event.output, refs, shelf), event.at)
    if type(event) is Started and event.pins is None and event.only is None:
        return Started(outside(event.input, refs, shelf), event.at)
    return event


def event_of(
    kind: str,
    call: str,
    at: int,
    body: str | None,
    refs: str | None,
    load: Callable[[bytes], str],
    shelf: Shelf,
) -> Event:
    """The event that `body_of` wrote, its blobs outside where they may be.

    *load* gives the JSON of a payload by its digest.
    """
    read = _READERS.get(kind)
    if read is None:
        raise StateUnusable(f"the journal holds an event of an unknown kind {kind!r}")
    value = restored(body, refs, load, shelf)
    return read(call, at, value if kind in _MAY_STAY_OUTSIDE else plain(value))


def _started_in_part(call: str, at: int, value: Any) -> Event:
    only = None if value["only"] is None else tuple(value["only"])
    pins = {name: _pin_from(pin) for name, pin in value["pins"].items()}
    return Started(value["input"], at, pins, only)


def _pin_from(shown: Mapping[str, Any]) -> Pin:
    failure = shown["failure"]
    return Pin(
        shown["status"], shown["output"], None if failure is None else failure_from(failure)
    )


def _approved_from(call: str, at: int, value: Any) -> Event:
    by, approve, answers, comment = value
    return Approved(call, by, approve, at, answers, comment)


def _resolved_from(call: str, at: int, value: Any) -> Event:
    outcome, message, output = value
    return Resolved(call, outcome, at, output, message)


_MAY_STAY_OUTSIDE: Final = frozenset({"started", "succeeded"})

_READERS: Final[dict[str, Callable[[str, int, Any], Event]]] = {
    "started": lambda call, at, value: Started(value, at),
    "started in part": _started_in_part,
    "admitted": lambda call, at, value: Admitted(at),
    "succeeded": lambda call, at, value: CallSucceeded(call, value, at),
    "failed": lambda call, at, value: CallFailed(call, failure_from(value), at),
    "timer": lambda call, at, value: TimerFired(call, at),
    "cancel": lambda call, at, value: CancelRequested(value, at),
    "evaluated": lambda call, at, value: Evaluated(call, at, value),
    "not evaluated": lambda call, at, value: Evaluated(call, at, failure=failure_from(value)),
    "resolved": _resolved_from,
    "signal": lambda call, at, value: SignalReceived(call, value, at),
    "approved": _approved_from,
    "pulled": lambda call, at, value: Pulled(call, at, *value),
    "refused": lambda call, at, value: Refused(call, failure_from(value), at),
}
