"""What the oracle knows of each place: a step, or one item of its `for_each`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from tests.simulation.blueprints import Draft

State: TypeAlias = Literal[
    "idle",
    "open",
    "resting",
    "evaluating",
    "unknown",
    "queued",  # unknown, to be called again when the window has room
    "ok",
    "failed",
    "skipped",
    "cut",
    "lost",  # unknown, and nobody will be asked any more
]
BUSY = frozenset({"open", "resting", "evaluating"})
LIVE = BUSY | {"unknown", "queued"}

_CALL = re.compile(r"(\w+)(?:\[(\d+)\])?#(\d+)")


class Violation(AssertionError):
    """The kernel did what the document and the history do not allow."""


def require(holds: object, what: str) -> None:
    """Raise `Violation` unless *holds*."""
    if not holds:
        raise Violation(what)


@dataclass(slots=True)
class Place:
    """One step or item, as its history tells."""

    step: str
    index: int | None = None
    state: State = "idle"
    calls: int = 0
    losses: int = 0
    began: int = 0
    call: str = ""
    due: int = 0
    rest: tuple[float, float] = (0.0, 0.0)
    asking: str = ""  # the evaluation that is under way
    asked: set[str] = field(default_factory=set)  # evaluations that were answered
    expect: str = ""  # what has to be said of it in this turn: call, rest, rest or fail
    output: Any = None

    @property
    def name(self) -> str:
        return self.step if self.index is None else f"{self.step}[{self.index}]"


@dataclass(slots=True)
class Items:
    """The items of one `for_each`, once its list is known."""

    values: list[Any]
    places: dict[int, Place] = field(default_factory=dict)
    next: int = 0
    failing: bool = False
    halted: bool = False

    def count(self, states: frozenset[str] | set[str]) -> int:
        return sum(place.state in states for place in self.places.values())


def parse(call: str) -> tuple[str, int | None, int]:
    """`(step, item, attempt)` of a call's id."""
    found = _CALL.fullmatch(call)
    require(found, f"{call!r} is no call id")
    assert found is not None
    return found[1], None if found[2] is None else int(found[2]), int(found[3])


def arguments(draft: Draft, outputs: Any, items: Items | None, index: int | None) -> Any:
    """What the tool has to be called with."""
    wanted = {key: value(outputs) for key, value in draft.args.items()}
    if items is not None and index is not None:
        wanted |= {"item": items.values[index], "at": index}
    return wanted
