"""Findings for a reader: as text with the source line and a caret, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable

from drawloom.chains.findings import Finding

_WIDEST = 100


def as_text(findings: Iterable[Finding]) -> str:
    """One paragraph for each finding, and a last line that counts them; no colours."""
    listed = list(findings)
    errors = sum(finding.severity == "error" for finding in listed)
    counts = f"{_counted(errors, 'error')}, {_counted(len(listed) - errors, 'warning')}"
    return "\n\n".join([*map(_paragraph, listed), counts])


def as_json(findings: Iterable[Finding]) -> str:
    """A JSON array of the findings; each has at least code, message, severity and pointer."""
    return json.dumps([finding.as_json() for finding in findings], ensure_ascii=False, indent=2)


def _paragraph(finding: Finding) -> str:
    lines = [str(finding)]
    if finding.excerpt:
        shown, caret = _window(finding.excerpt, (finding.column or 1) - 1)
        lines += [f"  | {shown}", f"  | {caret}^"]
    if finding.suggestion:
        lines.append(f"  = {finding.suggestion}")
    return "\n".join(lines)


def _window(excerpt: str, column: int) -> tuple[str, str]:
    """The part of a long line round the caret, and the blanks before the caret."""
    start = max(0, column - _WIDEST // 2) if len(excerpt) > _WIDEST else 0
    head = "… " if start else ""
    tail = " …" if len(excerpt) > start + _WIDEST else ""
    shown = excerpt[start : start + _WIDEST]
    # A tab before the caret must be as wide as the tab above it.
    before = "".join("\t" if char == "\t" else " " for char in excerpt[start:column])
    return f"{head}{shown}{tail}", " " * len(head) + before


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
