"""What must hold of a crowd, seen from outside: nothing here knows how guards work."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from tests.simulation.crowds import SECOND, TTL, Crowd, Made
from tests.simulation.places import require

from drawloom.errors import FailureKind
from drawloom.facts import BreakerChanged, CallRefused, ToolCall

Service = tuple[str, str | None]  # a tool, and its connection or instance

_UNWELL = (FailureKind.TRANSIENT, FailureKind.TIMEOUT)


def judge(crowd: Crowd) -> None:
    """All of it; raises `Violation`."""
    require(crowd.left == (0, 0), f"places and turns are left: {crowd.left}")
    require(not crowd.outstanding, f"calls of instances are left: {crowd.outstanding}")
    _places(crowd)
    _rate(crowd)
    _flights(crowd)
    _breakers(crowd)
    _budget(crowd)


def _at_once(made: Iterable[Made]) -> int:
    """The most that went on together; what ends in an instant makes room within it."""
    edges = [(m.began, 1) for m in made if m.ended > m.began]
    edges += [(m.ended, -1) for m in made if m.ended > m.began]
    most = now = 0
    for _, change in sorted(edges):
        now += change
        most = max(most, now)
    return most


def _places(crowd: Crowd) -> None:
    policies, made = crowd.policies, crowd.made
    require(_at_once(made) <= policies.concurrency, "more calls at once than in all")
    for name, limit in policies.tools.items():
        found = _at_once([m for m in made if m.tool == name])
        require(found <= limit, f"{found} calls of {name} at once")
    for host in {m.host for m in made} - {"own"}:
        found = _at_once([m for m in made if m.host == host])
        require(found <= policies.connection_concurrency, f"{found} calls to {host} at once")
    if policies.chain_concurrency is not None:
        for chain in {m.chain for m in made} - {""}:
            found = _at_once([m for m in made if m.chain == chain])
            require(found <= policies.chain_concurrency, f"{found} calls of {chain} at once")


def _rate(crowd: Crowd) -> None:
    limits = crowd.policies.connections.get("api")
    if limits is None or limits.rate.per_second is None:
        return
    went = [m.began for m in crowd.made if m.host == "api"]
    for first, began in enumerate(went):
        for count, now in enumerate(went[first:], 1):
            most = limits.rate.burst + (now - began) / SECOND * limits.rate.per_second
            require(count <= most + 0.001, f"{count} calls to api within {now - began} µs")


def _flights(crowd: Crowd) -> None:
    kept: dict[tuple[str, str], list[Made]] = defaultdict(list)
    for made in crowd.made:
        if made.tool.startswith("svc.look"):
            kept[made.tool, made.host.partition("#")[0]].append(made)
    for key, calls in kept.items():
        require(_at_once(calls) <= 1, f"{key} was fetched twice at once")
        fresh_until = 0
        for call in sorted(calls, key=lambda m: m.began):
            require(call.began >= fresh_until, f"{key} was fetched though it was fresh")
            if call.well:
                fresh_until = call.ended + round(TTL * SECOND)


def _service(fact: ToolCall) -> Service:
    slot = fact.step.split("_")[1]
    return fact.tool, fact.instance or (None if slot == "own" else slot)


def _breakers(crowd: Crowd) -> None:
    """It opens when nothing but failures comes, and stays so until its time is over."""
    rule = crowd.policies.breaker
    asked = crowd.policies.pools["pool"].health is not None
    states: dict[Service, tuple[str, int]] = {}
    streaks: dict[Service, list[int]] = defaultdict(list)
    refused: set[tuple[str, str]] = set()
    for fact in crowd.facts:
        if isinstance(fact, CallRefused):
            refused.add((fact.run, fact.call))
        elif isinstance(fact, BreakerChanged):
            service: Service = (fact.tool, fact.connection)
            was, since = states.get(service, ("closed", 0))
            early = fact.at < since + rule.open_for * SECOND
            tried = was == "open" and early and not (asked and fact.connection != "api")
            require(not tried, f"{service} is tried {fact.at - since} µs after its breaker opened")
            states[service] = (fact.state, fact.at)
            streaks[service].clear()
        elif isinstance(fact, ToolCall) and not fact.cached:
            if fact.run and (fact.run, fact.call) in refused:
                continue
            service = _service(fact)
            _outcome(crowd, fact, streaks[service], states.get(service, ("closed", 0)))


def _outcome(crowd: Crowd, fact: ToolCall, streak: list[int], state: tuple[str, int]) -> None:
    rule, began = crowd.policies.breaker, fact.at - fact.wall + fact.waited
    if not fact.run:
        return  # how long it took is told by a real clock
    require(
        not (state[0] == "open" and began > state[1]),
        f"{fact.call} of {fact.run} began while the breaker of {fact.tool} was open",
    )
    kind = None if fact.failure is None else fact.failure.kind
    if kind in _UNWELL:
        if state[0] == "closed" and began >= state[1]:
            streak.append(fact.at)
    elif kind is not FailureKind.THROTTLED:
        streak.clear()
    while streak and streak[0] < fact.at - rule.window * SECOND:
        streak.pop(0)
    require(len(streak) < rule.calls, f"{len(streak)} failures of {fact.tool} open no breaker")


def _budget(crowd: Crowd) -> None:
    budget = crowd.policies.retry_budget
    if budget.ratio:
        return
    retries: dict[str, list[int]] = defaultdict(list)
    refused = {(f.run, f.call) for f in crowd.facts if isinstance(f, CallRefused)}
    for fact in crowd.facts:
        if not isinstance(fact, ToolCall) or not fact.run or fact.cached or fact.attempt == 1:
            continue
        if (fact.run, fact.call) not in refused:
            tool, connection = _service(fact)
            retries[connection or tool].append(fact.at - fact.wall)
    window = round(budget.window * 0.9 * SECOND)  # it moves by a tenth of itself
    for service, times in retries.items():
        for began in times:
            found = sum(began <= other < began + window for other in times)
            require(found <= budget.reserve, f"{found} retries of {service} within {window} µs")
