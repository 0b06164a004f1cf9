"""What a run begins with besides its input: a start key, pinned steps, a part of the chain."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from drawloom.chains.plan import Plan
from drawloom.dataflow.values import encode_value
from drawloom.errors import ValueInvalid
from drawloom.kernel import Pin, Started
from drawloom.kernel.partial import check

_LONGEST_KEY = 200  # characters


@dataclass(frozen=True, slots=True)
class Beginning:
    """How a run begins. Every driver takes one.

    `key` makes a start happen once for its chain: a second start with the same key
    and input gives the first run. `pins` are steps that have ended already. With
    `only`, of the others just these run, and their outputs are the run's.
    """

    key: str | None = None
    pins: Mapping[str, Pin] = field(default_factory=dict)
    only: Collection[str] | None = None


FROM_THE_START = Beginning()


def started(plan: Plan, given: Mapping[str, Any] | None, beginning: Beginning, at: int) -> Started:
    """The first event of a run. Raises `ValueInvalid` for what does not fit, naming it."""
    accepted = encode_value(plan.accept_input(given))
    if not beginning.pins and beginning.only is None:
        return Started(accepted, at)
    check(plan, beginning.pins, beginning.only)
    only = None if beginning.only is None else tuple(beginning.only)
    return Started(accepted, at, dict(beginning.pins) or None, only)


def accepted_key(key: str) -> str:
    """The start key, if it can be one."""
    if not key or len(key) > _LONGEST_KEY:
        raise ValueInvalid(f"a start key has 1 to {_LONGEST_KEY} characters")
    return key


def other_input(key: str, run_id: str) -> ValueInvalid:
    """The error of a second start with another input."""
    return ValueInvalid(
        f"the start key {key!r} belongs to run {run_id}, which began with another input; "
        "use another key"
    )
