"""Clocks, percentiles and memory of one process."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from time import perf_counter

Run = Callable[[int], Awaitable[int]]
Metrics = dict[str, float]


class WrongResult(Exception):
    """An engine gave another result than the chain has: it did not do the work."""


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which *share* (0 to 1) of *values* lie, by the nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def check(expected: object, found: object) -> None:
    """Refuse a run that gave a wrong result, however fast."""
    if expected != found:
        raise WrongResult(f"expected {expected!r}, found {found!r}"[:300])


async def one_by_one(run: Run, add: int, seconds: float) -> list[float]:
    """Seconds of each run, one at a time, for about *seconds*."""
    for v in range(5):
        check(v + add, await run(v))  # warm: imports, pools, compiled paths
    taken: list[float] = []
    end = perf_counter() + seconds
    while perf_counter() < end or len(taken) < 20:
        before = perf_counter()
        result = await run(len(taken))
        taken.append(perf_counter() - before)
        check(len(taken) - 1 + add, result)
    return taken


def settle() -> None:
    """Collect, and leave what is loaded out of later collections.

    Every engine alike: a service that runs for long does so once, after its start.
    """
    gc.collect()
    gc.freeze()


async def together(run: Run, add: int, workers: int, rounds: int) -> tuple[float, list[float]]:
    """Seconds of the whole and of each run: *workers* at a time, *rounds* each."""
    taken: list[float] = []

    async def worker(first: int) -> None:
        for v in range(first, first + rounds):
            before = perf_counter()
            result = await run(v)
            taken.append(perf_counter() - before)
            check(v + add, result)

    settle()
    before = perf_counter()
    await asyncio.gather(*(worker(w * rounds) for w in range(workers)))
    return perf_counter() - before, taken


async def throughput(
    run: Run, add: int, workers: int, seconds: float
) -> tuple[float, list[float]]:
    """Runs a second and seconds of each run; rounds grow until one takes *seconds*."""
    rounds = 1
    while True:
        whole, taken = await together(run, add, workers, rounds)
        if whole >= seconds / 2:
            return len(taken) / whole, taken
        rounds = max(rounds * 2, min(rounds * 20, int(rounds * seconds / whole)))


async def repeated(times: int, run: Callable[[], Awaitable[None]]) -> float:
    """The median seconds of *times* calls, after one to warm up."""
    await run()
    taken = []
    for _ in range(times):
        settle()
        before = perf_counter()
        await run()
        taken.append(perf_counter() - before)
    return percentile(taken, 0.5)


async def allocated(run: Callable[[], Awaitable[None]]) -> int:
    """Bytes above the start that were held at the worst moment of one call."""
    gc.collect()
    tracemalloc.start()
    try:
        start, _ = tracemalloc.get_traced_memory()
        await run()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return max(0, peak - start)


def peak_rss() -> float:
    """The most memory this process ever held, in MB.

    From VmHWM and not `getrusage`, whose figure begins with that of the parent.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("/proc/self/status has no VmHWM: this needs Linux")
