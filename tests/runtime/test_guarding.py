"""Guards between an engine and its tools: turns, refusals, and that every place comes back."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from tests.drivers.until import until

from drawloom.chains import Plan, compile_chain, load
from drawloom.drivers.embedded import Engine
from drawloom.drivers.simulated import Clock
from drawloom.errors import Failure, FailureKind, ToolError
from drawloom.facts import (
    BreakerChanged,
    CallQueued,
    CallRefused,
    Fact,
    InstanceChanged,
    ToolCall,
)
from drawloom.policies import Effect
from drawloom.policies.circuit_breaker import BreakerRule
from drawloom.policies.health import HealthRule
from drawloom.policies.load_balancing import Instance
from drawloom.policies.rate_limit import RateRule
from drawloom.policies.retry_budget import BudgetRule
from drawloom.runtime import Catalogue
from drawloom.runtime.guarding import Caller, ConnectionLimits, Guards, Hold, Policies, PoolRule
from drawloom.sdk import tool


def entered(
    guards: Guards,
    connection: str | None = "api",
    *,
    tool: str = "t.t",
    is_retry: bool = False,
    **caller: Any,
) -> Hold:
    asked = Caller(**{"run": "r", "step": "s", "call": "s#1", "chain": "c"} | caller)
    return guards.enter(tool, Effect.READ, connection, asked, is_retry=is_retry)


CALLER = Caller("r", "s", "s#1", "c")


def nothing_is_held(guards: Guards) -> bool:
    return len(guards.admission) == 0 and guards.admission.waiting == 0


async def test_a_pure_tool_takes_places_but_has_no_breaker() -> None:
    rule = BreakerRule(minimum_calls=1, calls=1)
    guards = Guards(Policies(concurrency=1, breaker=rule))
    late = Failure(FailureKind.TIMEOUT, "too large an input")
    for _ in range(30):
        hold = guards.enter("t.t", Effect.PURE, None, CALLER)
        assert hold.inside
        assert guards.enter("t.u", Effect.PURE, None, CALLER._replace(patient=False)).failure
        hold.leave(late)
    guards.enter("t.v", Effect.READ, None, CALLER).leave(late)
    assert guards.enter("t.v", Effect.READ, None, CALLER).failure
    assert nothing_is_held(guards)


async def test_calls_beyond_the_places_wait_and_chains_take_turns() -> None:
    guards = Guards(Policies(connection_concurrency=1))
    first = entered(guards)
    big = [entered(guards, chain="big") for _ in range(3)]
    small = entered(guards, chain="small")
    assert first.inside and not any(hold.inside for hold in (*big, small))
    first.leave(None)
    assert big[0].inside
    big[0].leave(None)
    assert small.inside and not big[1].inside
    big[2].leave(None)  # gives up waiting
    small.leave(None)
    assert big[1].inside
    big[1].leave(None)
    assert nothing_is_held(guards)


async def test_a_higher_priority_goes_first_and_chains_take_turns_within_one() -> None:
    rate = {"slow": ConnectionLimits(RateRule(1.0))}
    for connection in ("api", "slow"):
        guards, _ = watched(Policies(connection_concurrency=1, connections=rate))
        first = entered(guards, connection)
        asked = [("big", 0), ("big", 0), ("low", -1), ("small", 0), ("urgent", 5), ("urgent", 5)]
        holds = [entered(guards, connection, chain=c, priority=p) for c, p in asked]
        went = list[int]()
        first.leave(None)
        while len(went) < len(holds):
            [now] = [n for n, h in enumerate(holds) if h.inside] or [-1]
            if now < 0:
                assert clock_of(guards).advance()  # to where the rate lets the next one go
                continue
            went.append(now)
            holds[now].leave(None)
        assert [asked[n][0] for n in went] == ["urgent", "urgent", "big", "small", "big", "low"]


async def test_a_full_queue_refuses_at_once_and_keeps_nothing() -> None:
    guards = Guards(Policies(connection_concurrency=1, queue=1))
    first, second, third = entered(guards), entered(guards), entered(guards)
    assert third.failure is not None
    assert third.failure.kind is FailureKind.THROTTLED and third.failure.harmless
    assert third.failure.retry_after
    third.leave(third.failure)
    first.leave(None)
    await second.taken()
    second.leave(None)
    assert nothing_is_held(guards)


async def test_a_place_in_the_wide_room_is_waited_for_with_the_narrow_one_held() -> None:
    guards = Guards(Policies(concurrency=1, connection_concurrency=1))
    first = entered(guards, "one")
    second = entered(guards, "two")
    third = entered(guards, "two")
    second.leave(None)  # gives its place of connection two to the third, which waits for the other
    assert not third.inside
    first.leave(None)
    assert third.inside
    third.leave(None)
    assert nothing_is_held(guards)


async def test_ten_thousand_that_wait_for_an_open_breaker_are_refused_one_after_another() -> None:
    rule = BreakerRule(minimum_calls=1, open_for=60)
    guards = Guards(Policies(connection_concurrency=1, breaker=rule))
    first = entered(guards)
    waiting = [entered(guards) for _ in range(10_000)]
    first.leave(Failure(FailureKind.TRANSIENT, "down"))
    assert all(hold.failure is not None and "breaker" in hold.failure.message for hold in waiting)
    assert nothing_is_held(guards)


async def test_retries_of_a_service_have_a_budget_together() -> None:
    guards = Guards(Policies(retry_budget=BudgetRule(1.0, reserve=0, window=1000)))
    holds = [entered(guards), entered(guards, is_retry=True), entered(guards, is_retry=True)]
    assert [hold.inside for hold in holds] == [True, True, False]
    assert holds[2].failure is not None and "budget" in holds[2].failure.message


async def test_the_rate_of_a_connection_is_kept() -> None:
    limits = ConnectionLimits(RateRule(100.0, burst=2))
    guards = Guards(Policies(connections={"api": limits}))
    began = asyncio.get_running_loop().time()
    holds = [entered(guards) for _ in range(6)]
    assert [hold.inside for hold in holds] == [True, True, False, False, False, False]
    for hold in holds:
        await hold.taken()
        hold.leave(None)
    assert asyncio.get_running_loop().time() - began >= 0.039
    assert nothing_is_held(guards)


async def test_retry_after_stops_every_tool_of_the_connection() -> None:
    guards = Guards()
    entered(guards).leave(Failure(FailureKind.THROTTLED, "slow down", retry_after=60))
    other = entered(guards, tool="t.u")
    assert not other.inside and other.failure is None
    elsewhere = entered(guards, "other")
    assert elsewhere.inside
    other.leave(None)
    guards.stop()


async def test_an_announced_quota_is_shared() -> None:
    guards = Guards()
    first = entered(guards)
    first.quota(1, 60.0)
    first.leave(None)
    assert entered(guards).inside
    assert not entered(guards).inside
    guards.stop()


def watched(policies: Policies) -> tuple[Guards, list[Any]]:
    """Guards in time that stands still, and what they tell."""
    guards, facts = Guards(policies, Clock()), list[Any]()
    guards.tell = facts.append
    return guards, facts


def clock_of(guards: Guards) -> Clock:
    assert isinstance(guards.clock, Clock)
    return guards.clock


async def test_it_is_told_what_a_call_waits_for_and_how_long_it_did() -> None:
    policies = Policies(
        concurrency=2, connection_concurrency=1, chain_concurrency=3, tools={"t.t": 1}
    )
    guards, facts = watched(policies)
    first = entered(guards, "one", tool="t.x")
    second = entered(guards, "two", tool="t.y")
    waiting = entered(guards, "one", call="s#2")
    clock_of(guards).now += 1_500
    first.leave(None)
    assert waiting.inside and (waiting.waited, first.waited) == (1_500, 0)
    third = entered(guards, None, call="s#3")  # its tool is taken
    waiting.leave(None)
    fourth = entered(guards, None, tool="t.z", call="s#4")
    limits = [(f.call, f.limit, f.connection) for f in facts if isinstance(f, CallQueued)]
    assert limits == [
        ("s#2", "connection", "one"),
        ("s#3", "tool", None),
        ("s#4", "all", None),
    ]
    for hold in (second, third, fourth):
        hold.leave(None)
    assert nothing_is_held(guards)


async def test_each_refusal_says_which_guard_it_was() -> None:
    rule = BreakerRule(minimum_calls=1, open_for=60)
    budget = BudgetRule(0.0, reserve=0)
    limits = {"slow": ConnectionLimits(RateRule(0.001))}
    pools = {"pool": PoolRule((Instance("pool#1"),))}
    policies = Policies(
        connection_concurrency=1, queue=0, breaker=rule, retry_budget=budget,
        connections=limits, pools=pools,
    )  # fmt: skip
    guards, facts = watched(policies)
    down = Failure(FailureKind.TRANSIENT, "down")
    inside = entered(guards, "full")
    entered(guards, "full")
    entered(guards, "slow").leave(None)
    entered(guards, "slow")
    entered(guards, "down").leave(down)
    entered(guards, "down")
    entered(guards, "again", is_retry=True)
    entered(guards, "pool").leave(down)
    assert entered(guards, "pool").instance is None
    refused = [(f.connection, f.limit) for f in facts if isinstance(f, CallRefused)]
    assert refused == [
        ("full", "connection"),
        ("slow", "rate"),
        ("down", "breaker"),
        ("again", "retry-budget"),
        ("pool", "instances"),
    ]
    inside.leave(None)
    assert nothing_is_held(guards)


async def test_a_turn_that_came_too_late_is_told_and_one_given_up_is_not() -> None:
    guards, facts = watched(Policies(connection_concurrency=1))
    inside = entered(guards)
    entered(guards, call="late").leave(Failure(FailureKind.THROTTLED, "no turn", harmless=True))
    entered(guards, call="cancelled").leave(None, nothing_said=True)
    assert [(f.call, f.limit) for f in facts if isinstance(f, CallRefused)] == [
        ("late", "connection")
    ]
    inside.leave(None)


async def test_who_leaves_twice_gives_back_one_place() -> None:
    guards = Guards(Policies(connection_concurrency=2))
    first, second = entered(guards), entered(guards)
    first.leave(None)
    first.leave(Failure(FailureKind.TRANSIENT, "late"))
    assert guards.admission.inside(("connection", "api")) == 1
    second.leave(None)
    assert nothing_is_held(guards)


async def test_who_will_not_wait_is_refused_where_it_would_have_to() -> None:
    limits = {"slow": ConnectionLimits(RateRule(0.001))}
    guards, facts = watched(Policies(connection_concurrency=1, connections=limits))
    inside, waits = entered(guards), entered(guards)
    hurried = entered(guards, patient=False)
    assert hurried.failure is not None and hurried.turn is None
    entered(guards, "slow").leave(None)
    assert entered(guards, "slow", patient=False).failure is not None
    assert [f.limit for f in facts if isinstance(f, CallRefused)] == ["connection", "rate"]
    assert len([f for f in facts if isinstance(f, CallQueued)]) == 1
    inside.leave(None)
    waits.leave(None)
    assert nothing_is_held(guards)


async def test_an_instance_that_is_left_out_and_comes_back_is_told_once() -> None:
    rule = BreakerRule(minimum_calls=1, open_for=5, probes=1)
    pools = {"pool": PoolRule((Instance("pool#1"),))}
    guards, facts = watched(Policies(breaker=rule, pools=pools))
    down = Failure(FailureKind.TRANSIENT, "down")
    for outcome in (down, down, None):  # the first, a probe that fails, and one that does not
        entered(guards, "pool").leave(outcome)
        clock_of(guards).now += 60_000_000
    assert [f.state for f in facts if isinstance(f, BreakerChanged)] == [
        "open", "half-open", "open", "half-open", "closed",
    ]  # fmt: skip
    changed = [f for f in facts if isinstance(f, InstanceChanged)]
    assert [(f.instance, f.state, f.why, f.tool) for f in changed] == [
        ("pool#1", "ejected", "breaker", "t.t"),
        ("pool#1", "back", "breaker", "t.t"),
    ]


async def test_instances_are_asked_while_calls_come_and_the_ill_are_left_out() -> None:
    ill, asked = {"pool#2"}, Counter[str]()

    async def ask(name: str) -> None:
        asked[name] += 1
        if name in ill:
            raise ConnectionError(name)

    instances = tuple(Instance(f"pool#{n}") for n in (1, 2))
    pools = {"pool": PoolRule(instances, health=HealthRule(10, 2))}
    rule = BreakerRule(minimum_calls=1, calls=1, open_for=60)
    guards, facts = watched(Policies(breaker=rule, pools=pools))
    guards.ask_instances(ask)
    clock = clock_of(guards)

    def calls(outcome: Failure | None = None) -> Counter[str | None]:
        taken = [entered(guards, "pool") for _ in range(4)]
        for hold in taken:
            hold.leave(outcome)
        return Counter(hold.instance for hold in taken)

    async def later() -> None:
        clock.advance()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    assert not asked
    assert calls() == {"pool#1": 2, "pool#2": 2}  # nobody knows yet
    await later()
    assert asked == {"pool#1": 1, "pool#2": 1}
    assert calls() == {"pool#1": 4}
    ill.add("pool#1")
    while guards.enter("t.t", Effect.READ, "pool", CALLER).inside:
        await later()
    assert calls() == {None: 4}
    ill.clear()
    while asked["pool#1"] < 4:
        await later()
    assert calls(Failure(FailureKind.TRANSIENT, "down")) == {"pool#1": 2, "pool#2": 2}
    assert calls() == {None: 4}  # their breakers are open now
    seen = asked["pool#1"]
    while asked["pool#1"] == seen:
        await later()
    assert calls() == {"pool#1": 2, "pool#2": 2}  # long before a minute has passed
    changed = [(f.instance, f.state) for f in facts if getattr(f, "why", "") == "health-check"]
    assert changed == [
        ("pool#2", "ejected"), ("pool#1", "ejected"), ("pool#1", "back"), ("pool#2", "back"),
    ]  # fmt: skip
    guards.stop()
    assert not clock.advance()


async def test_an_instance_that_wants_rest_is_not_asked_and_one_that_hangs_is_ill() -> None:
    asked = Counter[str]()

    async def ask(name: str) -> None:
        asked[name] += 1
        await asyncio.Event().wait()

    instances = tuple(Instance(f"pool#{n}") for n in (1, 2))
    pools = {"pool": PoolRule(instances, "primary", health=HealthRule(10, 2))}
    guards, _ = watched(Policies(pools=pools))
    entered(guards, "pool").leave(Failure(FailureKind.THROTTLED, "later", retry_after=3600))
    guards.ask_instances(ask)
    assert entered(guards, "pool").instance == "pool#2"
    await asyncio.sleep(0)
    assert asked == {"pool#2": 1}
    clock_of(guards).advance()  # its time is over
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert entered(guards, "pool").turn is not None  # the first one, once it has rested
    guards.stop()


# -- in an engine ------------------------------------------------------------------


def plan(catalogue: Catalogue, step: str) -> Plan:
    return compile_chain(
        load(f"chain: c\nsteps:\n  s:\n{step}\n".encode(), file="c.yaml"), catalogue.find
    )


def made(function: Callable[..., Any], effect: str) -> Catalogue:
    return Catalogue([tool(effect=effect, name="lab.t")(function)])  # type: ignore[call-overload]


async def test_an_open_breaker_refuses_at_once_and_tells() -> None:
    calls = 0

    async def t() -> int:
        """A tool."""
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        raise ToolError(Failure(FailureKind.TRANSIENT, "down"))

    catalogue = made(t, "read")
    facts: list[Any] = []
    policies = Policies(breaker=BreakerRule(minimum_calls=4, open_for=60))
    async with Engine(catalogue, durability="memory", policies=policies) as engine:
        engine.watch(facts.append)
        chain = plan(catalogue, "    use: lab.t\n    retry: {attempts: 1}")
        results = [await engine.run(chain) for _ in range(8)]
    assert calls == 5  # nobody knew at the first that the tool waits
    kinds = [result.steps["s"].failure.kind for result in results]
    assert kinds == [FailureKind.TRANSIENT] * 5 + [FailureKind.THROTTLED] * 3
    assert [f.state for f in facts if isinstance(f, BreakerChanged)] == ["open"]


async def test_a_tool_that_never_waits_has_a_breaker_once_it_has_failed_as_a_service_does() -> (
    None
):
    calls = 0

    async def t() -> int:
        """A tool."""
        nonlocal calls
        calls += 1
        raise ToolError(Failure(FailureKind.TRANSIENT, "down"))

    catalogue = made(t, "read")
    policies = Policies(breaker=BreakerRule(minimum_calls=4, open_for=60))
    async with Engine(catalogue, durability="memory", policies=policies) as engine:
        chain = plan(catalogue, "    use: lab.t\n    retry: {attempts: 1}")
        results = [await engine.run(chain) for _ in range(8)]
    assert calls == 5  # before the first failure nothing stands before it
    assert results[-1].steps["s"].failure.kind is FailureKind.THROTTLED


async def test_a_tool_that_never_waits_has_a_budget_for_its_retries() -> None:
    calls = 0

    async def t() -> int:
        """A tool."""
        nonlocal calls
        calls += 1
        raise ToolError(Failure(FailureKind.TRANSIENT, "down"))

    catalogue = made(t, "read")
    policies = Policies(retry_budget=BudgetRule(0.0, reserve=3, window=1000))
    async with Engine(catalogue, durability="memory", policies=policies) as engine:
        chain = plan(
            catalogue, "    use: lab.t\n    retry: {attempts: 9, delay: 1ms, on: [transient]}"
        )
        assert (await engine.run(chain)).steps["s"].failure.kind is FailureKind.THROTTLED
    assert calls == 4


@pytest.mark.parametrize(
    "limited",
    [Policies(concurrency=1), Policies(chain_concurrency=1), Policies(tools={"lab.t": 1})],
)
async def test_a_tool_that_never_waits_counts_to_the_limits_that_are_set(
    limited: Policies,
) -> None:
    def t(n: int) -> int:
        """A tool."""
        return n

    catalogue = Catalogue([tool(effect="pure", name="lab.t", inline=True)(t)])
    async with Engine(catalogue, durability="memory", policies=limited) as engine:
        hold = engine._pump.hands.guards.enter("lab.t", Effect.PURE, None, CALLER)
        chain = plan(catalogue, "    use: lab.t\n    with: {n: 1}")
        run = asyncio.create_task(engine.run(chain))
        await until(lambda: engine._pump.hands.guards.admission.waiting == 1)
        hold.leave(None)
        assert (await run).status == "succeeded"


async def test_no_more_calls_than_places_and_all_come_back() -> None:
    busy = most = 0

    async def t(n: int) -> int:
        """A tool."""
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        for _ in range(3):
            await asyncio.sleep(0)
        busy -= 1
        return n

    catalogue = made(t, "read")
    async with Engine(
        catalogue, durability="memory", policies=Policies(tools={"lab.t": 3})
    ) as engine:
        chain = plan(
            catalogue,
            '    use: lab.t\n    for_each: "${$map([1..50], function($n) {$n})}"\n'
            '    concurrency: 50\n    with: {n: "${item}"}',
        )
        result = await engine.run(chain)
        assert result.status == "succeeded"
        assert most == 3
        assert nothing_is_held(engine._pump.hands.guards)


@pytest.mark.parametrize("effect", ["read", "once"])
async def test_a_call_whose_turn_never_comes_is_throttled_and_harmless(effect: str) -> None:
    started = asyncio.Event()

    async def t() -> int:
        """A tool."""
        started.set()
        await asyncio.Event().wait()
        return 1

    catalogue = made(t, effect)
    async with Engine(
        catalogue, durability="memory", policies=Policies(tools={"lab.t": 1})
    ) as engine:
        chain = plan(catalogue, "    use: lab.t\n    timeout: 60s\n    retry: {attempts: 1}")
        hurried = plan(catalogue, "    use: lab.t\n    timeout: 50ms\n    retry: {attempts: 1}")
        blocking = await engine.start(chain)
        await started.wait()
        result = await engine.run(hurried)
        assert result.steps["s"].failure.kind is FailureKind.THROTTLED
        assert result.steps["s"].failure.harmless
        await engine.cancel(blocking)
        await engine.wait(blocking)
        assert nothing_is_held(engine._pump.hands.guards)


async def test_the_metrics_of_a_call_say_how_long_it_waited() -> None:
    async def t(n: int) -> int:
        """A tool."""
        for _ in range(3):
            await asyncio.sleep(0)
        return n

    catalogue = made(t, "read")
    facts: list[Fact] = []
    policies = Policies(tools={"lab.t": 1})
    async with Engine(catalogue, durability="memory", policies=policies) as engine:
        engine.watch(facts.append)
        each = "    use: lab.t\n    for_each: [1, 2]\n    concurrency: 2\n"
        await engine.run(plan(catalogue, each + '    with: {n: "${item}"}'))
    first, second = (fact for fact in facts if isinstance(fact, ToolCall))
    assert first.waited == 0 < second.waited <= second.wall
    [queued] = (fact for fact in facts if isinstance(fact, CallQueued))
    assert (queued.call, queued.step, queued.limit) == (second.call, "s", "tool")


async def test_calls_of_an_urgent_chain_go_first() -> None:
    order: list[str] = []
    go_on = asyncio.Event()

    async def t(who: str) -> str:
        """A tool."""
        order.append(who)
        await go_on.wait()
        return who

    catalogue = made(t, "read")

    def chain(name: str, priority: int) -> Plan:
        text = f"chain: {name}\npriority: {priority}\nsteps: {{s: {{use: lab.t, with: {{who: {name}}}}}}}"
        return compile_chain(load(text), catalogue.find)

    policies = Policies(tools={"lab.t": 1})
    async with Engine(catalogue, durability="memory", policies=policies) as engine:
        plans = [chain("first", 0), chain("usual", 0), chain("low", -5), chain("urgent", 5)]
        runs = [await engine.start(each) for each in plans]
        await until(lambda: engine._pump.hands.guards.admission.waiting == 3)
        go_on.set()
        for run in runs:
            await engine.outcome(run)
    assert order == ["first", "urgent", "usual", "low"]
