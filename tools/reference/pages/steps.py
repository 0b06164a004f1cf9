"""The life of a step, from the kernel's own table."""

from __future__ import annotations

from drawloom.kernel import TRANSITIONS
from drawloom.kernel.table import FINAL
from pages.markdown import code, comments, table

OPENING = """# The life of a step

A step has one status at a time, and so has each item of a `for_each`. The table
below is the one that the kernel itself obeys, and the diagram is drawn from it.

"""


def page() -> str:
    return f"{OPENING}{statuses()}\n{diagram()}\n{transitions()}"


PLAIN = {
    "succeeded": "its tool gave an output",
    "failed": "its last attempt failed",
    "cancelled": "the run ended before it did",
}


def statuses() -> str:
    said = PLAIN | comments("kernel/table.py", r'"([a-z]+)",')
    rows = [[code(s), said[s], "yes" if s in FINAL else ""] for s in TRANSITIONS]
    return "## Statuses\n\n" + table(["status", "meaning", "final"], rows)


def diagram() -> str:
    """A Mermaid state diagram."""
    lines = ["    [*] --> waiting"]
    for status, moves in TRANSITIONS.items():
        lines += [f"    {status} --> {after}: {why}" for why, after in moves.items()]
    lines += [f"    {status} --> [*]" for status in TRANSITIONS if status in FINAL]
    return "## Diagram\n\n```mermaid\nstateDiagram-v2\n" + "\n".join(lines) + "\n```\n"


def transitions() -> str:
    rows = [
        [code(status), why, code(after)]
        for status, moves in TRANSITIONS.items()
        for why, after in moves.items()
    ]
    return "## Transitions\n\n" + table(["from", "what happens", "to"], rows)
