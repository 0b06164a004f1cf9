"""Guards in front of a real HTTP server on loopback, through the real connector."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import web

from drawloom.chains import Plan, compile_chain, load
from drawloom.drivers.embedded import Engine
from drawloom.errors import FailureKind
from drawloom.facts import BreakerChanged
from drawloom.policies.circuit_breaker import BreakerRule
from drawloom.runtime import Catalogue, StoredConnection
from drawloom.runtime.guarding import Policies

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

    async def handle(self, request: web.Request) -> web.Response:
        self.asked += 1
        return self.answer()

    @property
    def connection(self) -> StoredConnection:
        url = f"http://127.0.0.1:{self.port}"
        return StoredConnection("api", "http", {"base_url": url, "network": "private"})


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with AsyncExitStack() as stack:
        made = Server()
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", made.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        made.port = runner.addresses[0][1]
        yield made


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
