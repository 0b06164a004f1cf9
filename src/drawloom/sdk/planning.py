"""What a call would touch, told by the tool itself, with nothing done.

    @delete.plan
    async def _(folder: Folder, path: str) -> list[Touch]: ...

A planner takes what its tool takes, but for the `Context`. It may look through
the client, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

Does: TypeAlias = Literal["reads", "creates", "changes", "deletes", "sends", "runs"]


@dataclass(frozen=True, slots=True)
class Touch:
    """One thing that a call would read, make, change, delete, send or run.

    `count` is of rows or bytes, as *what* says; `estimated` where the service
    only guesses it. `more` is I-JSON.
    """

    does: Does
    what: str
    count: int | None = None
    estimated: bool = False
    more: Mapping[str, Any] = field(default_factory=dict)


def for_each_of(count: int, touches: list[Touch]) -> list[Touch]:
    """What the same statement touches that is run for *count* lists of values."""
    return [
        replace(one, what=f"{one.what}, for each of {count} lists of values") for one in touches
    ]
