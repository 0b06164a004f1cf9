"""The simplest scheduler there is: a task per step, and await it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bench import steps


class Tasks:
    """What a program of one's own costs that gives every step a task."""

    async def ten(self, v: int) -> int:
        """See `Programs`."""
        for _ in range(steps.LENGTH):
            v = await asyncio.create_task(steps.step(v))
        return v

    async def fan_out(self, items: list[int]) -> int:
        """See `Programs`."""
        return sum(await asyncio.gather(*(asyncio.create_task(steps.work(v)) for v in items)))

    async def nap(self, v: int) -> int:
        """See `Programs`."""
        return await asyncio.create_task(steps.nap(v))

    async def carry(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """See `Programs`."""
        passed: dict[str, Any] = {"rows": rows, "n": 0}
        for _ in range(steps.MAPPED):
            passed = await asyncio.create_task(_carry(passed))
        return passed


async def _carry(passed: dict[str, Any]) -> dict[str, Any]:
    return steps.carry(passed["rows"], passed["n"])


@asynccontextmanager
async def opened(variant: str, state: Path) -> AsyncIterator[Tasks]:
    """See `Module`."""
    yield Tasks()
