"""What a tool may know of the call that it is part of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


def _say_nothing(message: str, data: dict[str, Any]) -> None:
    """Drop the line: the caller gave no place for it."""


@dataclass(frozen=True, slots=True)
class Context:
    """One call. A tool that wants it names a parameter annotated `Context`.

    `key` is the idempotency key of a `keyed` tool: the same for every attempt
    at this step (and item, and pass of a `repeat`) of this run. `attempt` counts
    from 1. `say` writes a line to the run's log; `data` is I-JSON. A tool that streams goes on behind
    the cursor `after` (None: from the beginning), with at most `batch` items a chunk.
    """

    run: str = ""
    step: str = ""
    call: str = ""
    key: str = ""
    attempt: int = 1
    _say: Callable[[str, dict[str, Any]], None] = field(default=_say_nothing, repr=False)
    after: Any = None
    batch: int = 1

    def say(self, message: str, **data: Any) -> None:
        """Write one line to the run's log."""
        self._say(message, data)
