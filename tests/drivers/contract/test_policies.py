"""Guards and kept answers do the same in every driver, in real and in virtual time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.drivers.contract.conftest import Driver, MakeDriver

from drawloom.doors import Doors
from drawloom.drivers.results import Result
from drawloom.errors import Failure, FailureKind, ToolError
from drawloom.facts import (
    BreakerChanged,
    CallQueued,
    CallRefused,
    Fact,
    InstanceChanged,
    RunEnded,
    RunStarted,
    ToolCall,
)
from drawloom.policies.circuit_breaker import BreakerRule
from drawloom.policies.health import HealthRule
from drawloom.policies.load_balancing import Instance
from drawloom.policies.rate_limit import RateRule
from drawloom.policies.retry_budget import BudgetRule
from drawloom.runtime import StoredConnection
from drawloom.runtime.guarding import ConnectionLimits, Policies, PoolRule
from drawloom.sdk import Connection, Connector


class Service:
    """Hosts that answer with a number, unless they are down; the calls of each are counted."""

    def __init__(self) -> None:
        self.called: Counter[str] = Counter()
        self.checked: Counter[str] = Counter()
        self.down: set[str] = set()
        service = self

        class Settings(Connection):
            host: str = "one"

            @asynccontextmanager
            async def open(self, doors: Doors) -> AsyncIterator[str]:
                yield self.host

            async def check(self, client: Any) -> dict[str, Any]:
                service.checked[client] += 1
                if client in service.down:
                    raise ConnectionError(client)
                return {}

        self.connector = Connector("svc", Settings)

        @self.connector.tool(effect="read")
        async def ask(client: str, v: int = 0) -> int:
            """Ask the host."""
            self.called[client] += 1
            if client in self.down:
                raise ToolError(Failure(FailureKind.TRANSIENT, f"{client} is down"))
            return self.called[client]

    connections = {"api": StoredConnection("api", "svc", {})}  # noqa: RUF012  # never changed


ASK = "{chain: c, connections: {api: svc}, steps: {a: {use: svc.ask, on: api, %s}}, output: '${steps.a}'}"
ONCE = ASK % "retry: {attempts: 1}"


def watched(driver: Driver) -> list[Any]:
    facts: list[Fact] = []
    driver.engine.watch(facts.append)
    return facts


def kind(result: Result) -> FailureKind | None:
    failure = result.steps["a"].failure
    return None if failure is None else failure.kind


async def test_a_kept_answer_is_given_again_and_items_that_want_the_same_make_one_call(
    make_driver: MakeDriver,
) -> None:
    service = Service()
    async with make_driver(service.connector, connections=service.connections) as driver:
        facts = watched(driver)
        items = "[" + ", ".join(["1"] * 20) + "]"
        text = ASK % f"for_each: {items}, concurrency: 20, with: {{v: '${{item}}'}}, cache: 1h"
        assert (await driver.run(text)).output == [1] * 20
        assert (await driver.run(text)).output == [1] * 20
    assert service.called == {"one": 1}
    calls = Counter(fact.cached for fact in facts if isinstance(fact, ToolCall))
    assert calls == {"": 1, "fresh": 39}


async def test_a_stale_answer_is_given_while_a_new_one_is_fetched(make_driver: MakeDriver) -> None:
    service = Service()
    step = "{use: svc.ask, on: api, cache: {ttl: 20ms, stale: 1h}, with: {v: 1}%s}"
    text = f"""
chain: c
connections: {{api: svc}}
steps:
  a: {step % ""}
  rest: {{use: my.pause, with: {{seconds: 0.05}}, after: [a]}}
  b: {step % ", after: [rest]"}
  again: {{use: my.pause, with: {{seconds: 0.05}}, after: [b]}}
  c: {step % ", after: [again]"}
output: ["${{steps.a}}", "${{steps.b}}", "${{steps.c}}"]
"""
    async with make_driver(service.connector, connections=service.connections) as driver:
        facts = watched(driver)
        assert (await driver.run(text)).output == [1, 1, 2]
    asked = [(f.run != "", f.cached) for f in facts if isinstance(f, ToolCall) and f.step in "abc"]
    assert (False, "") in asked  # the refresh of b is no call of the run
    assert (True, "stale") in asked


async def test_a_breaker_opens_refuses_tries_and_closes(make_driver: MakeDriver) -> None:
    service = Service()
    service.down.add("one")
    rule = BreakerRule(minimum_calls=3, open_for=1, probes=1)
    async with make_driver(
        service.connector, connections=service.connections, policies=Policies(breaker=rule)
    ) as driver:
        facts = watched(driver)
        kinds = [kind(await driver.run(ONCE)) for _ in range(5)]
        assert kinds == [FailureKind.TRANSIENT] * 3 + [FailureKind.THROTTLED] * 2
        service.down.clear()
        await driver.run("{chain: p, steps: {p: {use: my.pause, with: {seconds: 1.1}}}}")
        assert (await driver.run(ONCE)).output == 4
    states = [f.state for f in facts if isinstance(f, BreakerChanged)]
    assert states == ["open", "half-open", "closed"]
    assert [f.limit for f in facts if isinstance(f, CallRefused)] == ["breaker", "breaker"]


async def test_the_rate_of_a_connection_holds(make_driver: MakeDriver) -> None:
    service = Service()
    policies = Policies(connections={"api": ConnectionLimits(RateRule(100.0, burst=2))})
    async with make_driver(
        service.connector, connections=service.connections, policies=policies
    ) as driver:
        facts = watched(driver)
        text = ASK % "for_each: [1, 2, 3, 4, 5, 6], concurrency: 6, with: {v: '${item}'}"
        assert (await driver.run(text)).status == "succeeded"
    [began] = [f.at for f in facts if isinstance(f, RunStarted)]
    [ended] = [f.at for f in facts if isinstance(f, RunEnded)]
    assert ended - began >= 39_000  # four of them had to wait for their turn
    waited = [f.waited for f in facts if isinstance(f, ToolCall) and f.waited]
    queued = [f.limit for f in facts if isinstance(f, CallQueued)]
    # A slow machine is itself slower than the rate for some of them; virtual time is not.
    assert 1 <= len(queued) <= 4 and set(queued) == {"rate"}
    assert len(waited) == len(queued)
    assert driver.name != "simulated" or len(queued) == 4


async def test_no_more_calls_than_places_and_the_rest_take_turns(make_driver: MakeDriver) -> None:
    async with make_driver(policies=Policies(tools={"my.pause": 3})) as driver:
        facts = watched(driver)
        items = "[" + ", ".join(map(str, range(12))) + "]"
        text = f"""{{chain: c, steps: {{a: {{use: my.pause, for_each: {items}, concurrency: 12,
            with: {{seconds: 0.01, v: '${{item}}'}}}}}}}}"""
        assert (await driver.run(text)).status == "succeeded"
        assert driver.lab.busiest == 3
    assert [f.limit for f in facts if isinstance(f, CallQueued)] == ["tool"] * 9


async def test_a_turn_that_does_not_come_in_time_is_throttled_and_harmless(
    make_driver: MakeDriver,
) -> None:
    async with make_driver(policies=Policies(tools={"my.once": 1})) as driver:
        facts = watched(driver)
        result = await driver.run(
            "{chain: c, steps: {long: {use: my.once, with: {seconds: 0.2}},"
            " a: {use: my.once, timeout: 50ms, retry: {attempts: 1}, on_error: continue}}}"
        )
        assert result.status == "succeeded"
        assert kind(result) is FailureKind.THROTTLED
        assert driver.lab.called["once"] == 1
    assert [f.limit for f in facts if isinstance(f, CallRefused)] == ["tool"]


async def test_retries_have_a_budget(make_driver: MakeDriver) -> None:
    service = Service()
    service.down.add("one")
    policies = Policies(retry_budget=BudgetRule(0.0, reserve=3, window=1_000))
    async with make_driver(
        service.connector, connections=service.connections, policies=policies
    ) as driver:
        facts = watched(driver)
        text = ASK % "retry: {attempts: 9, delay: 1ms, on: [transient]}"
        assert kind(await driver.run(text)) is FailureKind.THROTTLED
    assert service.called == {"one": 4}
    assert [f.limit for f in facts if isinstance(f, CallRefused)] == ["retry-budget"]


def pool(health: HealthRule | None = None) -> PoolRule:
    hosts = {"api#1": "one", "api#2": "two", "api#3": "three"}
    settings = {name: {"host": host} for name, host in hosts.items()}
    return PoolRule(tuple(map(Instance, hosts)), "round_robin", settings, health)


async def test_calls_are_spread_and_an_instance_that_fails_is_left_out(
    make_driver: MakeDriver,
) -> None:
    service = Service()
    rule = BreakerRule(minimum_calls=2, open_for=1_000)
    policies = Policies(breaker=rule, pools={"api": pool()})
    async with make_driver(
        service.connector, connections=service.connections, policies=policies
    ) as driver:
        facts = watched(driver)
        for _ in range(6):
            await driver.run(ONCE)
        assert service.called == {"one": 2, "two": 2, "three": 2}
        service.down.add("two")
        statuses = Counter([(await driver.run(ONCE)).status for _ in range(12)])
        assert statuses == {"failed": 2, "succeeded": 10}
    assert [(f.instance, f.state) for f in facts if isinstance(f, InstanceChanged)] == [
        ("api#2", "ejected")
    ]
    taken = Counter(f.instance for f in facts if isinstance(f, ToolCall))
    assert taken == {"api#1": 7, "api#2": 4, "api#3": 7}


async def test_instances_are_asked_how_they_are(make_driver: MakeDriver) -> None:
    service = Service()
    service.down.add("two")
    policies = Policies(pools={"api": pool(HealthRule(0.02, 0.02))})
    rest = "{chain: p, steps: {p: {use: my.pause, with: {seconds: 0.03}}}}"
    async with make_driver(
        service.connector, connections=service.connections, policies=policies
    ) as driver:
        facts = watched(driver)
        await driver.run(ONCE)  # from now on they are asked
        await driver.run(rest)
        for _ in range(6):
            assert (await driver.run(ONCE)).status == "succeeded"
        service.down.clear()
        while "back" not in [f.state for f in facts if isinstance(f, InstanceChanged)]:
            await driver.run(rest)
        called = service.called["two"]
        for _ in range(3):
            await driver.run(ONCE)
        assert service.called["two"] == called + 1
    changed = [(f.instance, f.state, f.why) for f in facts if isinstance(f, InstanceChanged)]
    assert changed == [("api#2", "ejected", "health-check"), ("api#2", "back", "health-check")]


async def test_calls_of_an_urgent_chain_go_first(make_driver: MakeDriver) -> None:
    async with make_driver(policies=Policies(tools={"my.pause": 1})) as driver:
        facts = watched(driver)
        chains = (("first", 0), ("usual", 0), ("low", -5), ("urgent", 5))
        step = "{a: {use: my.pause, with: {seconds: 0.1}}}"
        texts = [f"{{chain: {n}, priority: {p}, steps: {step}}}" for n, p in chains]
        runs = [
            driver.run(text, run_id=name) for text, (name, _) in zip(texts, chains, strict=True)
        ]
        await asyncio.gather(*runs)
    ended = [fact.run for fact in facts if isinstance(fact, RunEnded)]
    assert ended == ["first", "urgent", "usual", "low"]
