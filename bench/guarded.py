"""1,000 chains of ten steps at once, every policy configured: `python -m bench.guarded`.

The tool does nothing, so all the time that is measured is the engine's own. No
limit is so low that a call is refused: what is measured is what guards cost, not
how long they make calls wait. Exit 1 where a run failed.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

from bench.measure import percentile, settle
from drawloom import Catalogue, Engine, compile_chain, load
from drawloom.facts import Fact, ToolCall
from drawloom.policies.circuit_breaker import BreakerRule
from drawloom.policies.load_balancing import Instance
from drawloom.policies.rate_limit import RateRule
from drawloom.policies.retry_budget import BudgetRule
from drawloom.runtime import StoredConnection
from drawloom.runtime.guarding import ConnectionLimits, Policies, PoolRule
from drawloom.sdk import Connection, Connector
from drawloom.sdk.doors import Doors

STEPS, CHAINS = 10, 1_000

Durability = Literal["memory", "full"]


class Nowhere(Connection):
    """A service that answers at once."""

    host: str = "a"

    @asynccontextmanager
    async def open(self, doors: Doors) -> AsyncIterator[str]:
        """The name of the host."""
        yield self.host


svc = Connector("svc", Nowhere)


@svc.tool(effect="read")
async def add(client: str, v: int) -> int:
    """Add one."""
    return v + 1


def every_policy() -> Policies:
    """All of them, each with so much room that nobody has to wait."""
    instances = tuple(Instance(f"api#{n}") for n in (1, 2, 3))
    settings = {instance.name: {"host": instance.name} for instance in instances}
    return Policies(
        concurrency=5_000,
        chain_concurrency=5_000,
        connection_concurrency=5_000,
        breaker=BreakerRule(),
        retry_budget=BudgetRule(),
        tools={"svc.add": 5_000},
        connections={"api": ConnectionLimits(RateRule(1_000_000.0, 10_000), 5_000)},
        pools={"api": PoolRule(instances, "least_outstanding", settings)},
    )


def chain(cached: bool) -> str:
    """Ten steps in a row; with *cached* they share their answers."""
    cache = ", cache: {ttl: 10m}" if cached else ""
    lines = [f"  s1: {{use: svc.add, on: api, with: {{v: '${{input.v}}'}}{cache}}}"]
    lines += [
        f"  s{n}: {{use: svc.add, on: api, with: {{v: '${{steps.s{n - 1}}}'}}{cache}}}"
        for n in range(2, STEPS + 1)
    ]
    head = "chain: guarded\ninput: {v: {type: integer}}\nconnections: {api: svc}\nsteps:\n"
    return head + "\n".join(lines) + f"\noutput: '${{steps.s{STEPS}}}'\n"


@dataclass
class Seen:
    """What one variant cost. Times are in seconds."""

    whole: float
    calls: list[float]  # each from its dispatch to its answer
    runs: list[float]
    errors: int


async def measured(
    durability: Durability, policies: Policies | None, cached: bool, rounds: int
) -> Seen:
    """Run it *rounds* times after a warm-up, with a sink that keeps what calls cost."""
    catalogue = Catalogue(extra=[svc])
    connections = {"api": StoredConnection("api", "svc", {})}
    seen = Seen(0.0, [], [], 0)

    def sink(fact: Fact) -> None:
        if isinstance(fact, ToolCall):
            seen.calls.append(fact.wall / 1e6)

    with tempfile.TemporaryDirectory(dir=Path(__file__).parent / "results") as state:
        async with Engine(
            catalogue, connections, state=state, durability=durability, policies=policies
        ) as engine:
            engine.watch(sink)
            plan = compile_chain(load(chain(cached)), catalogue.find)

            async def one(v: int) -> None:
                began = perf_counter()
                result = await engine.run(plan, {"v": v})
                seen.runs.append(perf_counter() - began)
                seen.errors += result.status != "succeeded" or result.output != v + STEPS

            await asyncio.gather(*(one(v % 50) for v in range(CHAINS)))
            settle()
            seen.calls, seen.runs = [], []
            for _ in range(rounds):
                began = perf_counter()
                await asyncio.gather(*(one(v % 50) for v in range(CHAINS)))
                seen.whole += perf_counter() - began
    return seen


def row(name: str, seen: Seen, rounds: int) -> str:
    """One line of the table; times in milliseconds."""
    speed = CHAINS * STEPS * rounds / seen.whole
    call = [percentile(seen.calls, share) * 1e3 for share in (0.5, 0.99)]
    run = [percentile(seen.runs, share) * 1e3 / STEPS for share in (0.5, 0.99)]
    return (
        f"{name:34} {speed:9,.0f} {seen.errors:7} {call[0]:9.3f} {call[1]:9.3f}"
        f" {run[0]:9.2f} {run[1]:9.2f}"
    )


async def table(rounds: int) -> int:
    """Print it; how many runs failed."""
    print(
        f"{'':34} {'steps/s':>9} {'errors':>7} {'call p50':>9} {'p99':>9} {'run/10 p50':>9} {'p99':>9}"
    )
    errors = 0
    variants: list[tuple[str, Any, bool]] = [
        ("usual policies", None, False),
        ("every policy", every_policy(), False),
        ("every policy, answers kept", every_policy(), True),
    ]
    for durability in ("memory", "full"):
        for name, policies, cached in variants:
            seen = await measured(durability, policies, cached, rounds)
            errors += seen.errors
            print(row(f"{durability}, {name}", seen, rounds), flush=True)
    return errors


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    return 1 if asyncio.run(table(parser.parse_args().rounds)) else 0


if __name__ == "__main__":
    sys.exit(main())
