"""What a plan of a run says of a step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from drawloom.sdk.planning import Touch

#: `calls`: it will be called. `maybe`: that depends on what is not known yet.
State: TypeAlias = Literal["calls", "maybe", "skipped", "fails"]


@dataclass(frozen=True, slots=True)
class Planned:
    """One step. `args` has the arguments that are known, `waits_for` the steps of the rest.

    `touches` is None where the tool cannot say, or its arguments are not known.
    `items` is how many calls a `for_each` makes, as far as that is known. `known`
    tells that the output is known, too: the step was worked out for real.
    """

    name: str
    tool: str
    effect: str
    state: State = "calls"
    why: str = ""
    args: Mapping[str, Any] = field(default_factory=dict)
    waits_for: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    items: int | None = None
    touches: tuple[Touch, ...] | None = None
    known: bool = False
