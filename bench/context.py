"""What this machine costs at this moment: the scale for every other figure."""

from __future__ import annotations

import asyncio
import os
import platform
from pathlib import Path
from time import perf_counter

from bench.measure import Metrics, percentile


async def costs(folder: Path) -> Metrics:
    """Microseconds of an await, of a task, and of a small durable append in *folder*."""
    return {
        "await_us": await _await_cost() * 1e6,
        "task_us": await _task_cost() * 1e6,
        **_sync_cost(folder / "sync"),
    }


async def _nothing() -> None:
    return None


async def _await_cost(times: int = 200_000) -> float:
    before = perf_counter()
    for _ in range(times):
        await _nothing()
    return (perf_counter() - before) / times


async def _task_cost(times: int = 20_000) -> float:
    before = perf_counter()
    for _ in range(times):
        await asyncio.create_task(_nothing())
    return (perf_counter() - before) / times


def _sync_cost(path: Path, times: int = 200) -> Metrics:
    """One append of 200 bytes and `fdatasync`, as a journal does for each step."""
    taken = []
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        for _ in range(times):
            before = perf_counter()
            os.write(file, b"x" * 200)
            os.fdatasync(file)
            taken.append(perf_counter() - before)
    finally:
        os.close(file)
    return {
        "sync_us_p50": percentile(taken, 0.5) * 1e6,
        "sync_us_p99": percentile(taken, 0.99) * 1e6,
    }


def machine() -> dict[str, str | int | None]:
    """Which machine: stored beside the results."""
    cpu = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "kernel": platform.release(),
    }
