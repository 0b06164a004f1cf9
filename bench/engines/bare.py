"""The limit: coroutines awaited one after the other, with no engine at all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bench import steps


class Bare:
    """Ten awaits are ten awaits."""

    async def ten(self, v: int) -> int:
        """See `Programs`."""
        for _ in range(steps.LENGTH):
            v = await steps.step(v)
        return v

    async def fan_out(self, items: list[int]) -> int:
        """See `Programs`."""
        return sum([await steps.work(v) for v in items])

    async def nap(self, v: int) -> int:
        """See `Programs`."""
        return await steps.nap(v)

    async def carry(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """See `Programs`."""
        passed: dict[str, Any] = {"rows": rows, "n": 0}
        for _ in range(steps.MAPPED):
            passed = steps.carry(passed["rows"], passed["n"])
        return passed


@asynccontextmanager
async def opened(variant: str, state: Path) -> AsyncIterator[Bare]:
    """See `Module`."""
    yield Bare()
