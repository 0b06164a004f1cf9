"""Tools that give their items bit by bit: an async generator of chunks, each with a cursor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

#: What stands for a stream in `steps.NAME`: how to open it. Only `for_each` can.
OUTPUT_SCHEMA: Final[dict[str, Any]] = {
    "description": "A stream: only a `for_each` can read it.",
    "type": "object",
    "properties": {"$stream": {"type": "object"}},
    "required": ["$stream"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Chunk(Generic[T]):
    """Some items of a stream, and the cursor behind them.

    `after` is any JSON value. The tool is called again with it as `context.after`
    when the stream is to be read on from there: it has to give just what follows.
    """

    items: list[T]
    after: Any
