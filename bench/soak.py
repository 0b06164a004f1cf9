"""A thousand runs at once, for ten minutes: nothing may fail, and nothing may grow.

    python -m bench.soak                     # ten minutes
    python -m bench.soak --minutes 1 --runs 200

Each run is a chain of ten steps: mappings, a step for each of three items, a
kept answer, a tool that waits, and a tool that is refused now and then and
tried again, all behind limits, a breaker and a retry budget. Every ten seconds
the memory, the descriptors and the write-ahead log are looked at; in the end
they must be where they were once it was warm. Exit 1 if not, or if a run failed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles

from drawloom import Catalogue, compile_chain, load, tool
from drawloom.drivers.embedded import STORE, Engine
from drawloom.errors import Failure, FailureKind, ToolError
from drawloom.facts import Fact, ToolCall
from drawloom.runtime.guarding import Policies
from drawloom.sdk import Context, Json

EVERY = 10.0  # seconds between looks
WARM = 0.2  # the share of the time after which nothing may grow any more
GROWTH = 1.15  # of memory
LARGEST_WAL = 256 << 20  # bytes

CHAIN = """
chain: soak
input: {n: {type: integer}}
steps:
  a: {use: my.add, with: {n: "${input.n}"}}
  b: {use: my.add, with: {n: "${steps.a}"}}
  kept: {use: my.look, with: {n: "${input.n % 50}"}, cache: {ttl: 30s, stale: 30s}}
  wait: {use: my.wait, with: {n: "${steps.b}"}}
  each: {use: my.add, for_each: [1, 2, 3], with: {n: "${item + steps.kept}"}}
  c: {use: my.flaky, with: {n: "${steps.wait}"}, retry: {attempts: 5, delay: 20ms}}
  d: {use: my.add, with: {n: "${steps.c + $sum(steps.each)}"}}
  e: {use: core.transform, with: {value: "${steps.d}"}}
  f: {use: my.put, with: {n: "${steps.e.value}"}}
  g: {use: my.add, with: {n: "${steps.f}"}}
output: {n: "${steps.g}"}
"""


@tool(effect="pure", inline=True)
def add(n: int) -> int:
    """Add one."""
    return n + 1


@tool(effect="read")
async def look(n: int) -> int:
    """Look something up that takes a while."""
    await asyncio.sleep(0.02)
    return n


@tool(effect="read")
async def wait(n: int) -> int:
    """Wait for a service."""
    await asyncio.sleep(0.05)
    return n


@tool(effect="read")
async def flaky(n: int, context: Context) -> int:
    """Be refused once in twenty times, at the first attempt."""
    await asyncio.sleep(0)
    if context.attempt == 1 and n % 20 == 0:
        raise ToolError(Failure(FailureKind.THROTTLED, "not just now", harmless=True))
    return n


@tool(effect="idempotent")
async def put(n: Json) -> Json:
    """Put it there."""
    await asyncio.sleep(0)
    return n


# Every tool that waits has limits of its own, so that all guards are at work.
POLICIES = Policies(tools=dict.fromkeys(("my.look", "my.wait", "my.flaky", "my.put"), 2_000))


@dataclass
class Look:
    """What was there at one moment: bytes, descriptors, and runs so far."""

    at: float
    memory: int
    descriptors: int
    wal: int
    done: int


@dataclass
class Soak:
    """One soak: what it has seen."""

    state: Path
    runs: int
    until: float
    done: int = 0
    failed: list[str] = field(default_factory=list)
    overheads: list[float] = field(
        default_factory=list
    )  # microseconds a call, of tools that do not wait
    looks: list[Look] = field(default_factory=list)

    def sink(self, fact: Fact) -> None:
        if isinstance(fact, ToolCall) and fact.tool == "my.put" and len(self.overheads) < 200_000:
            self.overheads.append(fact.wall)

    async def go_on(self, engine: Engine, plan: object, number: int) -> None:
        """Start one run after the other until the time is over."""
        while time.monotonic() < self.until:
            number += self.runs
            result = await engine.run(plan, {"n": number % 10_000})  # type: ignore[arg-type]
            self.done += 1
            if result.status != "succeeded":
                self.failed.append(f"{result.run}: {result.failure}")

    async def look(self) -> None:
        while True:
            wal = self.state / f"{STORE}-wal"
            size = wal.stat().st_size if wal.exists() else 0
            seen = Look(time.monotonic(), memory(), descriptors(), size, self.done)
            self.looks.append(seen)
            print(
                f"{self.done:9} runs  {seen.memory >> 20:5} MB  {seen.descriptors:4} descriptors  "
                f"wal {seen.wal >> 20:4} MB  failed {len(self.failed)}",
                flush=True,
            )
            await asyncio.sleep(EVERY)


def memory() -> int:
    """The resident memory of this process, in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def soak(minutes: float, runs: int) -> int:
    """Soak; the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        seen = Soak(state, runs, time.monotonic() + minutes * 60)
        tools = Catalogue([add, look, wait, flaky, put])
        plan = compile_chain(load(CHAIN), tools.find)
        async with Engine(tools, state=state, policies=POLICIES, keep_days=0) as engine:
            engine.watch(seen.sink)
            looking = asyncio.create_task(seen.look())
            began = time.monotonic()
            await asyncio.gather(*[seen.go_on(engine, plan, n) for n in range(runs)])
            took = time.monotonic() - began
            looking.cancel()
    return judged(seen, took)


def judged(seen: Soak, took: float) -> int:
    """Tell what was seen, and what is wrong with it."""
    wrong = [f"{len(seen.failed)} runs failed, as {seen.failed[0]}"] if seen.failed else []
    warm = [look for look in seen.looks if look.at >= seen.looks[0].at + took * WARM]
    first, last = warm[0], warm[-1]
    if last.memory > first.memory * GROWTH:
        wrong.append(f"memory grew from {first.memory >> 20} to {last.memory >> 20} MB")
    if last.descriptors > first.descriptors + 2:
        wrong.append(f"descriptors grew from {first.descriptors} to {last.descriptors}")
    if (largest := max(look.wal for look in warm)) > LARGEST_WAL:
        wrong.append(f"the write-ahead log grew to {largest >> 20} MB")
    p50, p99 = (quantiles(seen.overheads, n=100)[at] for at in (49, 98))
    print(
        f"{seen.done} runs of ten steps in {took:.0f} s, {seen.runs} at once: "
        f"{seen.done * 12 / took:.0f} calls/s; a call that need not wait took "
        f"{p50:.0f} us at the median, {p99:.0f} us at p99"
    )
    for line in wrong:
        print(f"WRONG: {line}")
    return 1 if wrong else 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--runs", type=int, default=1_000, help="how many at once")
    given = parser.parse_args()
    return asyncio.run(soak(given.minutes, given.runs))


if __name__ == "__main__":
    sys.exit(main())
