"""Tools of this project's own; drawloom.toml names the file."""

from __future__ import annotations

from collections import Counter

from drawloom import tool
from drawloom.sdk import Failure, FailureKind, ToolError


@tool(effect="pure", isolation="process")
def count_threads(cloth: str) -> dict[str, int]:
    """Count the threads of a cloth, in a process of its own."""
    return dict(Counter(cloth.split()))


@tool(effect="read")
async def ask_weaver(loom: int) -> str:
    """Ask at a loom whose weaver has gone home."""
    raise ToolError(Failure(FailureKind.TRANSIENT, f"nobody answers at loom {loom}"))
