"""What is wrong with a chain, as data: a code, a place, what to do, and a value that proves it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

#: A reader mends some and looks again; a hostile text must not cost an hour.
MOST_FINDINGS = 200
_MOST_CHOICES = 1_000

Severity: TypeAlias = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and where.

    `line` and `column` count characters from 1 and are None where the chain did
    not come from text. `pointer` is the JSON Pointer (RFC 6901) into the
    document. `excerpt` is the source line. `suggestion` says what to do.
    `witness` is, as JSON text, a value that breaks what the message speaks of.
    """

    code: str
    message: str
    severity: Severity = "error"
    file: str | None = None
    line: int | None = None
    column: int | None = None
    pointer: str = ""
    excerpt: str = ""
    suggestion: str = ""
    witness: str = ""

    @property
    def place(self) -> str:
        """`file:line:column`, or the JSON Pointer where there is no text."""
        if self.line is None:
            return self.pointer or "(the document)"
        return f"{self.file or '<text>'}:{self.line}:{self.column}"

    def as_json(self) -> dict[str, Any]:
        """The finding as a JSON object; the fields that say nothing are left out."""
        named = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in named.items() if value not in (None, "")}

    def __str__(self) -> str:
        return f"{self.place}: {self.severity}: {self.message} [{self.code}]"


def enough(last: Finding) -> Finding:
    """The finding that says that there may be more than were looked for."""
    message = f"more than {MOST_FINDINGS} findings; the rest was not looked for"
    more = "mend some of these, and check again"
    return replace(
        last,
        code="too-many-findings",
        message=message,
        severity="error",
        suggestion=more,
        witness="",
    )


def errors_of(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those that stop a chain from running."""
    return tuple(f for f in findings if f.severity == "error")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean 'x'?` for the nearest of *known*, or nothing."""
    near = nearest(word, known)
    return f"did you mean {near!r}?" if near else ""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The word of *known* that *word* most likely stands for."""
    choices = list(known)
    lowered = {choice.lower(): choice for choice in choices}
    if word.lower() in lowered:
        return lowered[word.lower()]
    found = difflib.get_close_matches(word[:100], choices[:_MOST_CHOICES], n=1, cutoff=0.6)
    return found[0] if found else None


def pointer_of(path: Iterable[str | int]) -> str:
    """The JSON Pointer (RFC 6901) of *path*."""
    return "".join(f"/{escape(str(part))}" for part in path)


def escape(part: str) -> str:
    """*part* as one reference token of a JSON Pointer."""
    return part.replace("~", "~0").replace("/", "~1") if "~" in part or "/" in part else part
