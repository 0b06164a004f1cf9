"""What one decision of each policy costs, in microseconds: `python -m bench.policies`.

The best of several rounds, so that a busy machine does not make them look slow.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from drawloom.policies import Effect
from drawloom.policies.admission import Admission
from drawloom.policies.cache import Cache, Entry, cache_key
from drawloom.policies.circuit_breaker import BreakerRule, CircuitBreaker
from drawloom.policies.load_balancing import STRATEGIES, Balancer, Instance
from drawloom.policies.rate_limit import RateLimit, RateRule
from drawloom.policies.retry_budget import BudgetRule, RetryBudget
from drawloom.runtime.guarding import Caller, Guards

CALLS = 20_000
ROUNDS = 5


def cost(work: Callable[[float], object]) -> float:
    """Microseconds a call; *work* is given the time."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(CALLS):
            work(time.monotonic())
        best = min(best, time.perf_counter() - began)
    return best / CALLS * 1e6


def breaker() -> float:
    """In and out of a closed breaker."""
    machine = CircuitBreaker(BreakerRule())

    def work(now: float) -> None:
        machine.enter(now)
        machine.leave(machine.epoch, True, now)

    return cost(work)


def rate() -> float:
    """Through a rate limit that is not reached."""
    machine: RateLimit[int] = RateLimit(RateRule(1e9), 10)
    return cost(lambda now: machine.enter(1, now))


def admission() -> float:
    """Into a room and out of it."""
    machine: Admission[int] = Admission(10)

    def work(now: float) -> None:
        machine.enter(1, "k", 100)
        machine.leave("k")

    return cost(work)


def budget() -> float:
    """A first attempt."""
    return cost(RetryBudget(BudgetRule()).first)


def balancer(strategy: str) -> float:
    """One choice among four, and its begin and end."""
    machine = Balancer([Instance(n) for n in "abcd"], strategy)  # type: ignore[arg-type]

    def work(now: float) -> None:
        picked = machine.pick(reads=True, key="customer-1", draw=12345678)
        assert picked is not None
        machine.began(picked.name)
        machine.ended(picked.name)

    return cost(work)


def cache() -> float:
    """The name of an answer with an input of 1 kB, and a hit."""
    machine, given = Cache(1 << 20), b"x" * 1024
    machine.put(Entry(cache_key("t", "v", "c", given), "t", b"1", 1e18, 1e18))
    return cost(lambda now: machine.get(cache_key("t", "v", "c", given), now))


async def guard() -> float:
    """All that stands before a call on a connection, and after it."""
    guards = Guards()

    def work(now: float) -> None:
        caller = Caller("r", "s", "s#1", "c")
        guards.enter("t.t", Effect.READ, "api", caller).leave(None)

    return cost(work)


def main() -> None:
    """Print the table."""
    rows = {
        "breaker": breaker(),
        "rate limit": rate(),
        "admission": admission(),
        "retry budget": budget(),
        **{f"balancer, {name}": balancer(name) for name in STRATEGIES},
        "cache: key and hit": cache(),
        "guard: in and out": asyncio.run(guard()),
    }
    for name, micros in rows.items():
        print(f"{name:32} {micros:6.2f} µs")


if __name__ == "__main__":
    main()
