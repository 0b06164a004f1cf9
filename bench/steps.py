"""The tools that every engine written in Python runs, as plain coroutines.

An engine gets no other work than these, so that what is measured is the engine.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

LENGTH = 10  # steps of the linear chain
MAPPED = 5  # steps that the big document passes through
NAP = 0.05  # seconds that the one tool of W3 takes


async def step(v: int) -> int:
    """Add one: the no-op whose result still proves that it ran, and in order."""
    return v + 1


async def work(v: int) -> int:
    """One branch of the fan-out."""
    return v * 2


async def nap(v: int) -> int:
    """Wait for 50 ms, as a tool that calls a service does."""
    await asyncio.sleep(NAP)
    return v


def carry(rows: list[dict[str, Any]], n: int) -> dict[str, Any]:
    """Pass the big list on in a new object, and count the step."""
    return {"rows": rows, "n": n + 1}


def document(size: int) -> list[dict[str, Any]]:
    """Rows whose JSON text is about *size* bytes long."""
    row = {"name": "Joseph Marie Jacquard", "paid": True, "total": 1834.08}
    count = size // 88  # the length of one such row as compact JSON
    return [{"id": 10_000 + i, **row, "note": f"row {i:06d}"} for i in range(count)]


class EffectLog:
    """What steps really did, written by the process that is about to be killed.

    A line is `run step word nanoseconds`, on the clock that all processes of the
    machine share. One `write` with O_APPEND each, so a SIGKILL tears none.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(self, run: int, step: int, word: str) -> None:
        """Add one line."""
        os.write(self._file, f"{run} {step} {word} {time.monotonic_ns()}\n".encode())

    async def effect(self, run: int, step: int, seconds: float) -> int:
        """The step of W6: begins, takes its time, ends."""
        self.write(run, step, "begin")
        await asyncio.sleep(seconds)
        self.write(run, step, "end")
        return step + 1
