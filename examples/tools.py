"""Tools of this project's own; drawloom.toml names the file."""

from __future__ import annotations

from collections import Counter

from drawloom import tool


@tool(effect="pure", isolation="process")
def count_threads(cloth: str) -> dict[str, int]:
    """Count the threads of a cloth, in a process of its own."""
    return dict(Counter(cloth.split()))
