"""All guards of one engine, found by tool and connection."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable

from drawloom.errors import Failure, FailureKind
from drawloom.facts import BreakerChanged, Fact
from drawloom.policies import Effect
from drawloom.policies.admission import Admission
from drawloom.policies.circuit_breaker import CircuitBreaker
from drawloom.policies.retry_budget import RetryBudget
from drawloom.runtime.guarding.hold import OPEN, Hold
from drawloom.runtime.guarding.pools import Pool
from drawloom.runtime.guarding.rules import ConnectionLimits, Policies
from drawloom.runtime.guarding.service import Guard, Service

_ALL = ("all",)


class Guards:
    """Ask before a call, tell after it. One instance per engine, on its event loop."""

    def __init__(self, policies: Policies | None = None) -> None:
        self.policies = policies or Policies()
        self.admission: Admission[Hold] = Admission(self.policies.queue)
        self.tell: Callable[[Fact], None] | None = None
        self._vacated: deque[Hashable] = deque()
        self._vacating = False
        self._guards: dict[tuple[str, str | None], Guard | None] = {}
        self._pools: dict[str | None, Pool] = {
            name: Pool(rule) for name, rule in self.policies.pools.items()
        }
        self._services: dict[tuple[str, str], Service] = {}

    def enter(
        self,
        tool: str,
        effect: Effect,
        connection: str | None,
        *,
        chain: str,
        is_retry: bool,
        run: str = "",
    ) -> Hold | None:
        """What the call holds from now on; None where nothing stands before it.

        The hold is `inside`, or has a `turn` to wait for, or a `failure`. Its
        `connection` is the one to use: an instance, where *connection* has several.
        """
        pool, wait = self._pools.get(connection), 0.0
        if pool is not None:
            picked, wait = self._picked(pool, tool, effect, run)
            connection = picked or connection
        guard = self._guard(tool, effect, connection, pool)
        if guard is None:
            return None
        if wait:
            hold = Hold(self, guard, (), chain)
            hold.failure = self.refusal(guard, "none of its instances is well", wait)
            return hold
        rooms = guard.rooms
        if (of_chain := self.policies.chain_concurrency) is not None:
            rooms = (*rooms[:-1], (("chain", chain), of_chain), rooms[-1])
        hold = Hold(self, guard, rooms, chain)
        now = time.monotonic()
        if wait := guard.breaker.refusal(now):
            hold.failure = self.refusal(guard, OPEN, wait)
            return hold
        budget = guard.service.budget
        if not is_retry:
            budget.first(now)
        elif wait := budget.retry(now):
            hold.failure = self.refusal(guard, "its retries have used up their budget", wait)
            return hold
        hold.begin()
        return hold

    def _guard(
        self, tool: str, effect: Effect, connection: str | None, pool: Pool | None
    ) -> Guard | None:
        try:
            return self._guards[tool, connection]
        except KeyError:
            made = self._guards[tool, connection] = self._made(tool, effect, connection, pool)
            return made

    def _picked(self, pool: Pool, tool: str, effect: Effect, run: str) -> tuple[str | None, float]:
        """The instance of a pool that takes the call, or how long none will."""
        now = time.monotonic()

        def refused(name: str) -> float:
            guard = self._guard(tool, effect, name, pool)
            return 0.0 if guard is None else guard.breaker.refusal(now)

        def busy(name: str) -> float:
            guard = self._guard(tool, effect, name, pool)
            return 0.0 if guard is None else guard.service.limit.rate.wait(now)

        return pool.pick(effect, run, refused=refused, busy=busy)

    def vacate(self, keys: Iterable[Hashable]) -> None:
        """Give places back, and let in who waits for them.

        Who is let in may be refused at once, and vacates again: that is queued
        here, for ten thousand of them in a row would not fit the stack.
        """
        self._vacated.extend(keys)
        if self._vacating:
            return
        self._vacating = True
        try:
            while self._vacated:
                for hold in self.admission.leave(self._vacated.popleft()):
                    hold.came_in()
        finally:
            self._vacating = False

    def refusal(self, guard: Guard, why: str, retry_after: float) -> Failure:
        """What a call that may not be made fails with: nothing has happened."""
        on = "" if guard.connection is None else f" on connection {guard.connection!r}"
        message = f"{guard.tool}{on} was not called: {why}; try again in {retry_after:.3g} s"
        return Failure(FailureKind.THROTTLED, message, retry_after, harmless=True)

    def breaker_changed(self, guard: Guard) -> None:
        """Tell whoever watches what state a breaker is in now."""
        if self.tell is not None:
            at = time.time_ns() // 1000
            self.tell(BreakerChanged(guard.tool, guard.connection, guard.breaker.state, at))

    def stop(self) -> None:
        """Forget all timers."""
        for service in self._services.values():
            service.stop()

    def _made(
        self, tool: str, effect: Effect, connection: str | None, pool: Pool | None
    ) -> Guard | None:
        policies = self.policies
        of_tool = policies.tools.get(tool)
        if connection is None and effect is Effect.PURE and of_tool is None:
            return None
        named = (connection or "").partition("#")[0] if pool else connection or ""
        limits = policies.connections.get(named, ConnectionLimits())
        rooms: list[tuple[tuple[str, ...], int]] = []
        if connection is not None:
            at_once = limits.concurrency or policies.connection_concurrency
            rooms.append((("connection", connection), at_once))
        if of_tool is not None:
            rooms.append((("tool", tool), of_tool))
        rooms.append((_ALL, policies.concurrency))
        service = self._service(tool, connection, limits)
        breaker = CircuitBreaker(policies.breaker)
        return Guard(tool, connection, breaker, service, tuple(rooms), pool)

    def _service(self, tool: str, connection: str | None, limits: ConnectionLimits) -> Service:
        key = ("tool", tool) if connection is None else ("connection", connection)
        if key not in self._services:
            budget = RetryBudget(self.policies.retry_budget)
            self._services[key] = Service(budget, limits.rate, self.policies.queue)
        return self._services[key]
