"""Guards in front of a real HTTP server on loopback, through the real connector."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from drawloom.chains import Plan, compile_chain, load
from drawloom.drivers.embedded import Engine
from drawloom.errors import FailureKind
from drawloom.facts import BreakerChanged, InstanceChanged, ToolCall
from drawloom.policies.circuit_breaker import BreakerRule
from drawloom.policies.health import HealthRule
from drawloom.policies.load_balancing import Instance, Strategy
from drawloom.runtime import Catalogue, StoredConnection
from drawloom.runtime.guarding import Policies, PoolRule

CHAIN = b"""\
chain: ask
connections: {api: http}
steps:
  ask:
    use: http.get
    on: api
    with: {path: /x}
    retry: {attempts: 1}
    timeout: 20s
output: {status: "${steps.ask.status}"}
"""

Answer = Callable[[], web.Response]


class Server:
    """Counts what it is asked; *answer* may be exchanged at any time."""

    def __init__(self) -> None:
        self.asked = 0
        self.answer: Answer = lambda: web.json_response({})
        self.port = 0
        self.runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self.handle)
        self.runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", self.port, reuse_address=True).start()
        self.port = self.runner.addresses[0][1]

    async def stop(self) -> None:
        if self.runner is not None:
            await self.runner.cleanup()
            self.runner = None

    async def handle(self, request: web.Request) -> web.Response:
        self.asked += 1
        return self.answer()

    @property
    def connection(self) -> StoredConnection:
        url = f"http://127.0.0.1:{self.port}"
        return StoredConnection("api", "http", {"base_url": url, "network": "private"})


@pytest.fixture
async def servers() -> AsyncIterator[list[Server]]:
    async with AsyncExitStack() as stack:
        yield [await started(stack) for _ in range(3)]


@pytest.fixture
def server(servers: list[Server]) -> Server:
    return servers[0]


async def started(stack: AsyncExitStack) -> Server:
    made = Server()
    await made.start()
    stack.push_async_callback(made.stop)
    return made


def engine_for(server: Server, policies: Policies) -> tuple[Engine, Plan]:
    catalogue = Catalogue()
    plan = compile_chain(load(CHAIN, file="ask.yaml"), catalogue.find)
    connections = {"api": server.connection}
    return Engine(catalogue, connections, durability="memory", policies=policies), plan


async def test_a_failing_service_is_left_alone_and_found_well_again(server: Server) -> None:
    rule = BreakerRule(minimum_calls=5, open_for=0.05, probes=1)
    facts: list[Any] = []
    engine, plan = engine_for(server, Policies(breaker=rule))
    again = CHAIN.replace(b"attempts: 1", b"attempts: 5, delay: 1ms")
    patient = compile_chain(load(again, file="ask.yaml"), engine.catalogue.find)
    async with engine:
        engine.watch(facts.append)
        server.answer = lambda: web.Response(status=500)
        results = [await engine.run(plan) for _ in range(5)]
        assert {r.steps["ask"].failure.kind for r in results} == {FailureKind.TRANSIENT}
        refused = await engine.run(plan)
        assert refused.steps["ask"].failure.kind is FailureKind.THROTTLED
        assert refused.steps["ask"].failure.harmless
        assert server.asked == 5
        server.answer = lambda: web.json_response({})
        assert (await engine.run(patient)).status == "succeeded"  # it comes back when told to
        assert server.asked == 6
    assert [f.state for f in facts if isinstance(f, BreakerChanged)] == [
        "open",
        "half-open",
        "closed",
    ]


async def test_refusals_of_the_caller_open_nothing(server: Server) -> None:
    engine, plan = engine_for(server, Policies(breaker=BreakerRule(minimum_calls=2)))
    server.answer = lambda: web.Response(status=404)
    async with engine:
        kinds = {(await engine.run(plan)).steps["ask"].failure.kind for _ in range(6)}
    assert kinds == {FailureKind.MISSING}
    assert server.asked == 6


async def test_retry_after_holds_the_other_runs_back(server: Server) -> None:
    engine, plan = engine_for(server, Policies())
    loop = asyncio.get_running_loop()
    server.answer = lambda: web.Response(status=429, headers={"Retry-After": "1"})
    async with engine:
        throttled = await engine.run(plan)
        assert throttled.steps["ask"].failure.retry_after == 1
        server.answer = lambda: web.json_response({})
        began = loop.time()
        results = await asyncio.gather(*(engine.run(plan) for _ in range(5)))
        assert {r.status for r in results} == {"succeeded"}
        assert loop.time() - began > 0.9
    assert server.asked == 6


async def test_an_announced_quota_is_not_overdrawn(server: Server) -> None:
    engine, plan = engine_for(server, Policies())
    server.answer = lambda: web.json_response({}, headers={"RateLimit": '"x";r=2;t=1'})
    loop = asyncio.get_running_loop()
    async with engine:
        began = loop.time()
        assert (await engine.run(plan)).status == "succeeded"
        server.answer = lambda: web.json_response({})
        results = [engine.run(plan) for _ in range(3)]
        assert {r.status for r in await asyncio.gather(*results)} == {"succeeded"}
        assert loop.time() - began > 0.9  # two at once, the third with the next quota


async def test_a_tool_reaches_no_host_but_that_of_its_connection(servers: list[Server]) -> None:
    """So a breaker for each tool and connection is one for each host as well."""
    engine, _ = engine_for(servers[0], Policies())
    elsewhere = f"127.0.0.1:{servers[1].port}"
    addresses = (
        f"http://{elsewhere}/x",
        f"//{elsewhere}/x",
        f"/\\\\{elsewhere}/x",
        f"@{elsewhere}/x",
    )
    async with engine:
        for path in addresses:
            asking = CHAIN.replace(b"{path: /x}", f"{{path: '{path}'}}".encode())
            await engine.run(compile_chain(load(asking), engine.catalogue.find))
    assert servers[1].asked == 0


async def test_a_dead_host_opens_the_breaker_of_its_own_connection_alone(
    servers: list[Server],
) -> None:
    rule = BreakerRule(minimum_calls=2, open_for=60)
    catalogue = Catalogue()
    plan = compile_chain(load(CHAIN), catalogue.find)
    connections = {name: servers[n].connection for n, name in enumerate(("dead", "well"))}
    servers[0].answer = lambda: web.Response(status=503)
    facts: list[Any] = []
    async with Engine(
        catalogue, connections, durability="memory", policies=Policies(breaker=rule)
    ) as engine:
        engine.watch(facts.append)
        for _ in range(4):
            await engine.run(plan, bindings={"api": "dead"})
            assert (await engine.run(plan, bindings={"api": "well"})).status == "succeeded"
    assert (servers[0].asked, servers[1].asked) == (2, 4)
    assert [f.connection for f in facts if isinstance(f, BreakerChanged)] == ["dead"]


def pool(servers: list[Server], strategy: Strategy, *roles: Any) -> PoolRule:
    roles = roles or ("primary",) * len(servers)
    instances = tuple(Instance(f"api#{n}", role) for n, role in enumerate(roles, 1))
    own = {f"api#{n}": s.connection.settings for n, s in enumerate(servers, 1)}
    return PoolRule(instances, strategy, own)


async def test_calls_are_spread_over_the_instances(servers: list[Server]) -> None:
    policies = Policies(pools={"api": pool(servers, "round_robin")})
    engine, plan = engine_for(servers[0], policies)
    facts: list[Any] = []
    async with engine:
        engine.watch(facts.append)
        for _ in range(9):
            assert (await engine.run(plan)).status == "succeeded"
    assert [server.asked for server in servers] == [3, 3, 3]
    taken = Counter(f.instance for f in facts if isinstance(f, ToolCall))
    assert taken == {"api#1": 3, "api#2": 3, "api#3": 3}


async def test_an_instance_that_fails_is_left_out_until_it_is_well(servers: list[Server]) -> None:
    rule = BreakerRule(minimum_calls=2, open_for=60)
    policies = Policies(breaker=rule, pools={"api": pool(servers, "round_robin")})
    engine, plan = engine_for(servers[0], policies)
    servers[1].answer = lambda: web.Response(status=503)
    facts: list[Any] = []
    async with engine:
        engine.watch(facts.append)
        results = [await engine.run(plan) for _ in range(20)]
        assert [r.status for r in results].count("failed") == 2
        assert servers[1].asked == 2
        assert [f.connection for f in facts if isinstance(f, BreakerChanged)] == ["api#2"]
        ejected = [f for f in facts if isinstance(f, InstanceChanged)]
        assert [(f.instance, f.state, f.tool) for f in ejected] == [
            ("api#2", "ejected", "http.get")
        ]
        for server in servers:
            server.answer = lambda: web.Response(status=503)
        kinds = [(await engine.run(plan)).steps["ask"].failure.kind for _ in range(60)]
        assert kinds[-1] is FailureKind.THROTTLED  # none is left
        assert servers[1].asked == 2


async def test_the_primary_is_called_while_it_is_well(servers: list[Server]) -> None:
    rule = BreakerRule(minimum_calls=1, open_for=60)
    policies = Policies(breaker=rule, pools={"api": pool(servers, "primary")})
    engine, plan = engine_for(servers[0], policies)
    async with engine:
        await engine.run(plan)
        servers[0].answer = lambda: web.Response(status=500)
        await engine.run(plan)
        assert (await engine.run(plan)).status == "succeeded"
    assert [server.asked for server in servers] == [2, 1, 0]


async def test_an_instance_that_wants_rest_is_left_out(servers: list[Server]) -> None:
    engine, plan = engine_for(servers[0], Policies(pools={"api": pool(servers, "primary")}))
    headers = {"Retry-After": "3600"}
    servers[0].answer = lambda: web.Response(status=429, headers=headers)
    async with engine:
        await engine.run(plan)
        assert (await engine.run(plan)).status == "succeeded"
    assert [server.asked for server in servers] == [1, 1, 0]


async def test_reads_go_to_replicas_and_writes_to_the_primary(servers: list[Server]) -> None:
    rule = pool(servers, "round_robin", "primary", "replica", "replica")
    engine, plan = engine_for(servers[0], Policies(pools={"api": rule}))
    write = CHAIN.replace(b"http.get", b"http.put").replace(b"{path: /x}", b"{path: /x}")
    writing = compile_chain(load(write, file="ask.yaml"), engine.catalogue.find)
    async with engine:
        for _ in range(4):
            assert (await engine.run(plan)).status == "succeeded"
        for _ in range(2):
            assert (await engine.run(writing)).status == "succeeded"
    assert [server.asked for server in servers] == [2, 2, 2]


async def test_an_instance_that_does_not_answer_is_found_out_and_found_well_again(
    servers: list[Server],
) -> None:
    rule = replace(pool(servers[:2], "round_robin"), health=HealthRule(0.05, 0.05))
    engine, plan = engine_for(servers[0], Policies(pools={"api": rule}))
    facts: list[Any] = []

    def states() -> list[str]:
        return [f.state for f in facts if getattr(f, "why", "") == "health-check"]

    async def until_it_is(state: str) -> None:
        while states()[-1:] != [state]:
            await engine.run(plan)

    async with engine:
        engine.watch(facts.append)
        await servers[1].stop()
        await until_it_is("ejected")
        servers[0].asked = 0
        for _ in range(4):
            assert (await engine.run(plan)).status == "succeeded"
        assert servers[0].asked >= 4
        await servers[1].start()
        await until_it_is("back")
    assert states() == ["ejected", "back"]


async def test_nobody_is_asked_where_it_is_not_wanted(servers: list[Server]) -> None:
    engine, plan = engine_for(servers[0], Policies(pools={"api": pool(servers, "primary")}))
    async with engine:
        assert (await engine.run(plan)).status == "succeeded"
    assert [server.asked for server in servers] == [1, 0, 0]
