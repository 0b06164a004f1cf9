"""Readings of streams pass the guards, and stay with one instance; retries go elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.drivers.contract.conftest import MakeDriver
from tests.drivers.contract.test_policies import Service, watched

from drawloom.errors import Failure, FailureKind, ToolError
from drawloom.facts import CallQueued
from drawloom.policies.circuit_breaker import BreakerRule
from drawloom.policies.load_balancing import Instance
from drawloom.runtime import StoredConnection
from drawloom.runtime.guarding import ConnectionLimits, Policies, PoolRule
from drawloom.sdk import Chunk, Context, Stream


class Streaming(Service):
    """The hosts can be read as streams of numbers, and take a stream, too."""

    def __init__(self, breaks_once_at: int | None = None) -> None:
        super().__init__()
        self.opened: list[tuple[str, Any]] = []

        @self.connector.tool(effect="read")
        async def numbers(
            client: str, context: Context, count: int = 9
        ) -> AsyncIterator[Chunk[int]]:
            """Numbers from zero on."""
            nonlocal breaks_once_at
            self.opened.append((client, context.after))
            at = context.after or 0
            while at < count:
                if client in self.down or at == breaks_once_at:
                    breaks_once_at = None
                    raise ToolError(Failure(FailureKind.TRANSIENT, f"{client} is down"))
                items = list(range(at, min(at + context.batch, count)))
                at += len(items)
                self.called[client] += 1
                yield Chunk(items, at)

        @self.connector.tool(effect="idempotent")
        async def total(client: str, numbers: Stream[int]) -> int:
            """Add up."""
            return sum([number async for number in numbers])


EACH = """
chain: c
connections: {api: svc}
steps:
  source: {use: svc.numbers, on: api, retry: {attempts: 3, delay: 0.001}}
  each: {use: my.echo, for_each: "${steps.source}", batch: 3, with: {v: "${item}"}}
output: "${steps.each}"
"""
OUTPUT = [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


def pool(*roles: Any) -> tuple[dict[str, StoredConnection], Policies]:
    names = [f"api#{number}" for number in range(1, len(roles) + 1)]
    instances = tuple(Instance(n, role=r) for n, r in zip(names, roles, strict=True))
    settings = {name: {"host": name} for name in names}
    rule = PoolRule(instances, "round_robin", settings)
    return {"api": StoredConnection("api", "svc", {})}, Policies(pools={"api": rule})


async def test_a_stream_stays_with_the_instance_that_it_was_opened_at(
    make_driver: MakeDriver,
) -> None:
    service = Streaming()
    connections, policies = pool("primary", "primary", "primary")
    async with make_driver(
        service.connector, connections=connections, policies=policies
    ) as driver:
        assert (await driver.run(EACH)).output == OUTPUT
    assert len(service.opened) == 1
    assert sum(service.called.values()) == 3


async def test_a_stream_that_breaks_goes_on_at_another_instance(make_driver: MakeDriver) -> None:
    service = Streaming(breaks_once_at=3)
    connections, policies = pool("primary", "primary")
    async with make_driver(
        service.connector, connections=connections, policies=policies
    ) as driver:
        assert (await driver.run(EACH)).output == OUTPUT
    [(first, start), (second, after)] = service.opened
    assert (start, after, first != second) == (None, 3, True)


async def test_a_read_that_fails_at_the_only_replica_is_tried_again_at_the_primary(
    make_driver: MakeDriver,
) -> None:
    """Long before any breaker has seen enough to open."""
    service = Streaming()
    service.down = {"api#2"}
    connections, policies = pool("primary", "replica")
    text = EACH.replace("svc.numbers", "svc.ask").replace("${steps.source}", "${[steps.source]}")
    async with make_driver(
        service.connector, connections=connections, policies=policies
    ) as driver:
        for chain in (EACH, text):
            result = await driver.run(chain)
            assert result.status == "succeeded", result.failure
    assert [host for host, _ in service.opened] == ["api#2", "api#1"]
    assert service.called["api#2"] == 1  # one try of `ask`; the stream gave nothing there


async def test_readings_count_to_the_breaker_and_an_open_one_refuses_them(
    make_driver: MakeDriver,
) -> None:
    service = Streaming()
    service.down = {"one"}
    policies = Policies(breaker=BreakerRule(calls=4, minimum_calls=2))
    async with make_driver(
        service.connector, connections=service.connections, policies=policies
    ) as driver:
        result = await driver.run(EACH)
    assert result.failure.kind == FailureKind.THROTTLED
    assert "breaker is open" in result.failure.message
    assert len(service.opened) == 2


@pytest.mark.parametrize("places", [1, 2])
async def test_a_call_that_reads_its_own_connection_does_not_wait_for_itself(
    make_driver: MakeDriver, places: int
) -> None:
    service = Streaming()
    limits = {"api": ConnectionLimits(concurrency=places)}
    text = """
chain: c
connections: {api: svc}
steps:
  source: {use: svc.numbers, on: api}
  sum: {use: svc.total, on: api, timeout: 20, with: {numbers: "${steps.source}"}}
output: "${steps.sum}"
"""
    async with make_driver(
        service.connector,
        connections=service.connections,
        policies=Policies(connections=limits),
    ) as driver:
        facts = watched(driver)
        assert (await driver.run(text)).output == 36
    assert not [fact for fact in facts if isinstance(fact, CallQueued)]
