"""Wait for something that the loop brings about, without asking a clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

MOST_TURNS = 100_000


async def until(holds: Callable[[], bool]) -> None:
    """Let the loop go on until something holds."""
    for _ in range(MOST_TURNS):
        if holds():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never held")
