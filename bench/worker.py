"""One workload on one engine, in this process; prints one line of JSON.

`python -m bench.worker ENGINE WORKLOAD OPTIONS`, with OPTIONS as JSON: the fields
of `Sizes`, and `state`, a folder that is this process's own. It runs in the peers'
environment too, so it imports nothing but the standard library before the engine.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from bench import context, steps
from bench.engines import ENGINES, Engine, Module, Programs
from bench.measure import (
    Metrics,
    allocated,
    check,
    one_by_one,
    peak_rss,
    percentile,
    repeated,
    throughput,
    together,
)

Options = dict[str, Any]


async def linear(programs: Programs, options: Options) -> Metrics:
    """W1: ten steps in a row, one run at a time and then many together."""
    seconds, workers = options["seconds"], options["workers"]
    alone = await one_by_one(programs.ten, steps.LENGTH, seconds)
    rate, taken = await throughput(programs.ten, steps.LENGTH, workers, seconds)
    return {
        "step_us": percentile(alone, 0.5) * 1e6 / steps.LENGTH,
        "run_us_p50": percentile(alone, 0.5) * 1e6,
        "run_us_p99": percentile(alone, 0.99) * 1e6,
        "steps_per_s": rate * steps.LENGTH,
        "together_ms_p50": percentile(taken, 0.5) * 1e3,
        "together_ms_p99": percentile(taken, 0.99) * 1e3,
    }


async def fan_out(programs: Programs, options: Options) -> Metrics:
    """W2: a step for each of many items, and their join."""
    items = list(range(options["fan_out"]))

    async def once() -> None:
        check(2 * sum(items), await programs.fan_out(items))

    return {"ms": await repeated(options["repeats"], once) * 1e3}


async def parallel(programs: Programs, options: Options) -> Metrics:
    """W3: many runs at once of one tool that takes 50 ms."""
    count = options["parallel"]

    async def once() -> None:
        found = await asyncio.gather(*(programs.nap(v) for v in range(count)))
        check(list(range(count)), list(found))

    whole = await repeated(options["repeats"], once)
    return {"ms": whole * 1e3, "of_ideal": whole / steps.NAP}


async def big(programs: Programs, options: Options) -> Metrics:
    """W4: a big document through five steps; the copies that were alive at once."""
    rows = steps.document(options["document"])
    one = await allocated(lambda: _hold(options["document"]))
    last = rows[-1]["note"]

    async def once() -> None:
        found = await programs.carry(rows)
        got = found["rows"]
        check((steps.MAPPED, len(rows), last), (found["n"], len(got), got[-1]["note"]))

    whole = await repeated(options["repeats"], once)
    return {"ms": whole * 1e3, "copies": await allocated(once) / one}


async def _hold(size: int) -> None:
    steps.document(size)


async def cold(programs: Programs, options: Options) -> Metrics:
    """W5: one run, in a process that begins with it."""
    check(steps.LENGTH, await programs.ten(0))
    return {}


async def kept(programs: Programs, options: Options) -> Metrics:
    """W8: the cost of a step in a state that already holds many runs."""
    workers = options["workers"]
    await together(programs.ten, steps.LENGTH, workers, 1)
    whole, taken = await together(programs.ten, steps.LENGTH, workers, 5)
    return {
        "step_us": whole * 1e6 / (len(taken) * steps.LENGTH),
        "together_ms_p99": percentile(taken, 0.99) * 1e3,
    }


async def fill(programs: Programs, options: Options) -> Metrics:
    """Before W8: store that many finished runs."""
    left = options["stored"]
    while left > 0:
        workers = min(left, 200)
        rounds = max(1, min(left // workers, 50))
        await together(programs.ten, steps.LENGTH, workers, rounds)
        left -= workers * rounds
    return {}


async def machine(programs: Programs, options: Options) -> Metrics:
    """Not a workload: what a sync to disk and an await cost here and now."""
    return await context.costs(Path(options["state"]))


MEASURES: dict[str, Callable[[Programs, Options], Awaitable[Metrics]]] = {
    "W1": linear,
    "W2": fan_out,
    "W3": parallel,
    "W4": big,
    "W8": kept,
    "cold": cold,
    "fill": fill,
    "machine": machine,
}


async def measured(engine: Engine, workload: str, options: Options) -> Metrics:
    """Open the engine, run the workload, and say how much memory it took."""
    module: Module = importlib.import_module(f"bench.engines.{engine.module}")
    before = perf_counter()
    async with module.opened(engine.variant, Path(options["state"])) as programs:
        opened = perf_counter() - before
        found = await MEASURES[workload](programs, options)
        rss = peak_rss()
    return {**found, "rss_mb": rss, "open_ms": opened * 1e3}


async def killed(engine: Engine, workload: str, options: Options) -> dict[str, Any]:
    """Both halves of W6: the life that is killed, and the one that takes over."""
    module = importlib.import_module(f"bench.engines.{engine.module}")
    log = steps.EffectLog(Path(options["log"]))
    state, runs = Path(options["state"]), options["recovered"]
    if workload == "W6-begin":
        await module.begin(state, log, runs, options["step_seconds"])
        return {"statuses": []}
    return {"statuses": await module.resume(state, log, runs)}


async def answer(name: str, workload: str, options: Options) -> dict[str, Any]:
    """The line that is printed."""
    engine = next(e for e in ENGINES if e.name == name)
    if workload.startswith("W6"):
        return await killed(engine, workload, options)
    return {"metrics": await measured(engine, workload, options)}


def main() -> None:
    """Run on the loop that the engine's row asks for; say an error as JSON too."""
    name, workload, options = sys.argv[1:4]
    uvloop = next(e for e in ENGINES if e.name == name).loop == "uvloop"
    factory = importlib.import_module("uvloop").new_event_loop if uvloop else None
    with asyncio.Runner(loop_factory=factory) as runner:
        line = runner.run(answer(name, workload, json.loads(options)))
    print(json.dumps(line), flush=True)
    os._exit(0)  # threads that an engine leaves behind are not what is measured


if __name__ == "__main__":
    main()
