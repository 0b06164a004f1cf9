"""Many runs at once before the same guards: policies, chains, services and weather from a seed.

The services fail, hang and ask for rest for a while; runs come, retry, use answers
again and are cancelled. Facts say what happened; `rules` judges it from outside.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from drawloom.chains import Plan, compile_chain, load
from drawloom.doors import Doors
from drawloom.drivers.simulated import SimulatedEngine
from drawloom.errors import Failure, FailureKind, ToolError
from drawloom.facts import Fact, RunEnded
from drawloom.policies.circuit_breaker import BreakerRule
from drawloom.policies.health import HealthRule
from drawloom.policies.load_balancing import STRATEGIES, Instance
from drawloom.policies.rate_limit import RateRule
from drawloom.policies.retry_budget import BudgetRule
from drawloom.runtime import Catalogue, StoredConnection
from drawloom.runtime.guarding import ConnectionLimits, Policies, PoolRule
from drawloom.sdk import Connection, Connector, Tool, tool

SECOND = 1_000_000
HORIZON = 60  # seconds in which runs begin
TTL, STALE = 4.0, 6.0


@dataclass
class Made:
    """One call that a tool really got. Instants are microseconds."""

    tool: str
    host: str
    chain: str
    began: int
    ended: int = 0
    well: bool = False


def policies(rng: random.Random) -> Policies:
    """Numbers so small that every guard has something to do."""
    calls = rng.randint(4, 8)
    breaker = BreakerRule(
        failure_rate=0.5, minimum_calls=rng.randint(2, calls), calls=calls, window=30.0,
        open_for=rng.choice((2.0, 5.0)), open_at_most=10.0, probes=rng.randint(1, 2),
    )  # fmt: skip
    rate = RateRule(rng.choice((1.0, 4.0, 20.0)), rng.randint(1, 3))
    instances = tuple(Instance(f"pool#{n}") for n in range(1, rng.randint(3, 4)))
    settings = {i.name: {"host": i.name} for i in instances}
    health = rng.choice((None, HealthRule(3.0, 1.0)))
    return Policies(
        concurrency=rng.choice((3, 8, 10_000)),
        chain_concurrency=rng.choice((None, 2, 5)),
        connection_concurrency=rng.randint(1, 5),
        queue=rng.choice((3, 100)),
        breaker=breaker,
        retry_budget=BudgetRule(rng.choice((0.0, 0.0, 1.0)), rng.randint(0, 4), 10.0),
        tools=rng.choice(({}, {"svc.ask": rng.randint(1, 3)}, {"my.work": 1})),
        connections=rng.choice(({}, {"api": ConnectionLimits(rate)})),
        pools={"pool": PoolRule(instances, rng.choice(STRATEGIES), settings, health)},  # type: ignore[arg-type]
    )


class Crowd:
    """One such world. `live` it, then look at `made`, `facts` and `engine`."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rng = random.Random(seed)
        self.policies = policies(self.rng)
        self.made: list[Made] = []
        self.facts: list[Fact] = []
        self._outside: set[asyncio.Future[object]] = set()
        self.trouble: dict[str, list[tuple[int, int, str]]] = {}

    # -- the services ------------------------------------------------------------

    def _weather(self) -> None:
        """When which host is down, hangs, or asks for rest."""
        start = self.engine.clock.now
        hosts = ["api", "own", *(i.name for i in self.policies.pools["pool"].instances)]
        for host in hosts:
            spells = self.trouble[host] = []
            for _ in range(self.rng.randint(0, 3)):
                began = start + self.rng.randrange(HORIZON * SECOND)
                lasts = self.rng.randint(1, 25) * SECOND
                kind = self.rng.choice(("down", "down", "hangs", "busy"))
                spells.append((began, began + lasts, kind))

    def _now(self, host: str) -> str:
        now = self.engine.clock.now
        return next((kind for a, b, kind in self.trouble[host] if a <= now < b), "well")

    async def _answer(self, name: str, host: str, chain: str) -> int:
        made = Made(name, host, chain, self.engine.clock.now)
        self.made.append(made)
        state = self._now(host)
        try:
            if state == "hangs":
                await self.engine.clock.sleep(float("inf"))
            await self.engine.clock.sleep(self.rng.choice((0.001, 0.2, 1.5)))
            if state == "down":
                raise ToolError(Failure(FailureKind.TRANSIENT, f"{host} is down"))
            if state == "busy" and self.rng.random() < 0.3:
                raise ToolError(Failure(FailureKind.THROTTLED, "rest", 2.0, harmless=True))
            made.well = True
        finally:
            made.ended = self.engine.clock.now
        return len(self.made)

    def _tools(self) -> tuple[Connector, Tool]:
        crowd = self

        class Settings(Connection):
            host: str = "api"

            @asynccontextmanager
            async def open(self, doors: Doors) -> AsyncIterator[str]:
                yield self.host

            async def check(self, client: Any) -> dict[str, Any]:
                if crowd._now(client) in ("down", "hangs"):
                    raise ConnectionError(client)
                return {}

        connector = Connector("svc", Settings)

        @connector.tool(effect="read")
        async def ask(client: str, chain: str) -> int:
            """Ask."""
            return await crowd._answer("svc.ask", client, chain)

        @connector.tool(effect="read")
        async def look(client: str, v: int) -> int:
            """Ask for what is kept."""
            return await crowd._answer(f"svc.look {v}", client, "")

        @tool(effect="read", name="my.work")
        async def work(chain: str) -> int:
            """Work without a connection."""
            return await crowd._answer("my.work", "own", chain)

        return connector, work

    # -- the chains --------------------------------------------------------------

    def _chain(self, number: int) -> Plan:
        rng, steps = self.rng, []
        for at in range(rng.randint(1, 4)):
            kind = rng.choice(("ask", "ask", "look", "work"))
            slot = "own" if kind == "work" else rng.choice(("api", "pool"))
            given = f"chain: c{number}" if kind != "look" else f"v: {rng.randint(1, 2)}"
            more = "" if kind == "work" else f"on: {slot}, "
            if kind == "look":
                more += f"cache: {{ttl: {TTL}, stale: {STALE}}}, "
            elif rng.random() < 0.4:
                more += f"for_each: {list(range(rng.randint(2, 6)))}, concurrency: 3, "
            if rng.random() < 0.5:
                more += "on_error: continue, "
            retry = f"{{attempts: {rng.randint(1, 5)}, delay: {rng.choice((0.1, 1))}}}"
            use = "my.work" if kind == "work" else f"svc.{kind}"
            steps.append(
                f"  {kind}_{slot}_{at}: {{use: {use}, {more}with: {{{given}}}, "
                f"timeout: {rng.choice((1, 3, 20))}, retry: {retry}}}"
            )
        text = (
            f"chain: c{number}\npriority: {rng.randint(-1, 1)}\n"
            "connections: {api: svc, pool: svc}\nsteps:\n" + "\n".join(steps)
        )
        return compile_chain(load(text), self.engine.catalogue.find)

    # -- living ------------------------------------------------------------------

    async def live(self) -> Crowd:
        """From the first run to the end of the last."""
        connector, work = self._tools()
        slots = {name: StoredConnection(name, "svc", {}) for name in ("api", "pool")}
        catalogue = Catalogue([work], [connector])
        self.engine = SimulatedEngine(catalogue, connections=slots, policies=self.policies)
        async with self.engine:
            self.engine.watch(self.facts.append)
            self._weather()
            plans = [self._chain(number) for number in range(self.rng.randint(2, 4))]
            beat = compile_chain(
                load(
                    f"{{chain: beat, steps: {{a: {{use: core.wait, with: {{duration: {HORIZON}}}}}}}}}"
                ),
                catalogue.find,
            )
            await self.engine.start(beat, run_id="beat")
            for number in range(self.rng.randint(10, 30)):
                self._at(beginning(self, self.rng.choice(plans), f"r{number}"), HORIZON * 0.9)
            while self.engine.active():
                for run in self.engine.active():
                    await self.engine.wait(run)
            self._settle()
        self.ends = Counter(fact.status for fact in self.facts if isinstance(fact, RunEnded))
        return self

    def _at(self, do: Callable[[], Awaitable[object]], within: float) -> None:
        """Have something done within so many seconds, from outside the runs."""
        due = self.engine.clock.now + round(self.rng.random() * within * SECOND)
        self.engine.clock.at(due, lambda: self._begun(do))

    def _begun(self, do: Callable[[], Awaitable[object]]) -> None:
        task = asyncio.ensure_future(do())
        self._outside.add(task)
        task.add_done_callback(self._outside.discard)

    def _settle(self) -> None:
        guards = self.engine._hands.guards
        self.left = (len(guards.admission), guards.admission.waiting)
        self.outstanding = {
            name: count
            for pool in guards._pools.values()
            for name, count in pool._balancer.outstanding.items()
            if count
        }

    @property
    def digest(self) -> str:
        """Names all that happened, but for how long it took a real clock."""
        told = [{**msgspec.to_builtins(f), "wall": 0, "cpu": 0} for f in self.facts]
        return hashlib.blake2b(msgspec.json.encode(told), digest_size=8).hexdigest()


def beginning(crowd: Crowd, plan: Plan, run: str) -> Callable[[], Awaitable[object]]:
    """Starts a run, and now and then has it cancelled."""

    async def start() -> None:
        await crowd.engine.start(plan, run_id=run)
        if crowd.rng.random() < 0.15:
            crowd._at(stop, within=5)

    async def stop() -> None:
        if run in crowd.engine.active():
            await crowd.engine.cancel(run)

    return start
