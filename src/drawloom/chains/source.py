"""The text that a document came from, and where in it each value stands."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from drawloom.chains.findings import Finding
from drawloom.chains.scalar_offsets import written_at

_WIDEST_EXCERPT = 200


@dataclass(frozen=True, slots=True)
class Source:
    """Text with the places of its values.

    `positions` and `keys` give, by JSON Pointer, the (line, column), counted
    from 1, of each value and of each mapping key. `spans` gives the offsets
    (start, end) of each text value, quotes and indicators included.
    """

    text: str
    file: str | None = None
    positions: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    keys: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    spans: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def place(self, pointer: str, *, key: bool = False) -> tuple[int, int]:
        """Where the value (or its key) stands; of what is not there, where its parent stands."""
        if key and pointer in self.keys:
            return self.keys[pointer]
        while pointer not in self.positions and pointer:
            pointer = pointer.rpartition("/")[0]
        return self.positions.get(pointer, (1, 1))

    def within(self, pointer: str, offset: int) -> tuple[int, int]:
        """The place of the character at *offset* of the text value at *pointer*."""
        if pointer not in self.spans:
            return self.place(pointer)
        start, end = self.spans[pointer]
        return self.line_column(start + written_at(self.text[start:end], offset))

    def line_column(self, offset: int) -> tuple[int, int]:
        """The place of the character at *offset*."""
        starts = _line_starts(self.text)
        line = bisect_right(starts, offset)
        return line, offset - starts[line - 1] + 1

    def excerpt(self, line: int) -> str:
        """The source line, as it stands."""
        starts = _line_starts(self.text)
        if line > len(starts):
            return ""
        end = starts[line] - 1 if line < len(starts) else len(self.text)
        found = self.text[starts[line - 1] : end].rstrip("\r")
        return found if len(found) <= _WIDEST_EXCERPT else found[:_WIDEST_EXCERPT] + "[…]"

    def finding(self, code: str, message: str, at: int | tuple[int, int], **more: Any) -> Finding:
        """A finding at an offset or at a (line, column), with its excerpt."""
        line, column = self.line_column(at) if isinstance(at, int) else at
        return Finding(
            code,
            message,
            file=self.file,
            line=line,
            column=column,
            excerpt=self.excerpt(line),
            **more,
        )


@lru_cache(maxsize=4)
def _line_starts(text: str) -> Sequence[int]:
    """The offset at which each line begins; kept, for findings come many at a time."""
    return (0, *(at + 1 for at, char in enumerate(text) if char == "\n"))
