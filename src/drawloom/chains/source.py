"""The text that a document came from, and where in it each value stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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
        before = self.text.count("\n", 0, offset)
        return before + 1, offset - self.text.rfind("\n", 0, offset)

    def excerpt(self, line: int) -> str:
        """The source line, as it stands."""
        lines = self.text.split("\n", line)
        found = lines[line - 1].rstrip("\r") if line <= len(lines) else ""
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
