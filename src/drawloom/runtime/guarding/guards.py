"""All guards of one engine, found by tool and connection."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from functools import partial

from drawloom.facts import BreakerChanged, Fact, InstanceChanged
from drawloom.policies import Effect
from drawloom.policies.admission import Admission
from drawloom.policies.circuit_breaker import BreakerRule, CircuitBreaker
from drawloom.policies.health import Health
from drawloom.policies.retry_budget import RetryBudget
from drawloom.runtime.clock import LoopClock, Timekeeper
from drawloom.runtime.guarding.checking import Ask, Checker, Spawn
from drawloom.runtime.guarding.hold import OPEN, Caller, Hold
from drawloom.runtime.guarding.pools import Pool
from drawloom.runtime.guarding.rules import ConnectionLimits, Policies
from drawloom.runtime.guarding.service import Guard, Service

_ALL = ("all",)

# What is pure reaches no service that could be unwell: if it takes too long, its input is
# to blame, and other chains must not suffer for it. No share of failures is that large.
_NEVER = BreakerRule(failure_rate=2.0)


class Guards:
    """Ask before a call, tell after it. One instance per engine, on its event loop.

    *draw* gives large random integers, for balancing.
    """

    def __init__(
        self,
        policies: Policies | None = None,
        clock: Timekeeper | None = None,
        draw: Callable[[], int] | None = None,
    ) -> None:
        self.policies = policies or Policies()
        self.clock = clock or LoopClock()
        self.seconds = self.clock.seconds
        self.admission: Admission[Hold] = Admission(self.policies.queue)
        self.tell: Callable[[Fact], None] | None = None  # set while somebody watches
        self._draw = draw or partial(random.getrandbits, 32)
        self._vacated: deque[Hashable] = deque()
        self._vacating = False
        self._guards: dict[tuple[str, str | None], Guard] = {}
        self._pools: dict[str | None, Pool] = {
            name: Pool(rule) for name, rule in self.policies.pools.items()
        }
        self._services: dict[tuple[str, str], Service] = {}

    def enter(
        self,
        tool: str,
        effect: Effect,
        connection: str | None,
        caller: Caller,
        *,
        is_retry: bool = False,
    ) -> Hold:
        """What the call holds from now on.

        The hold is `inside`, or has a `turn` to wait for, or a `failure`. Its
        `connection` is the one to use: an instance, where *connection* has several.
        """
        now = self.seconds()
        pool = self._pools.get(connection)
        if pool is not None:
            avoid = pool.failed_before(caller.place) if is_retry else None
            picked, wait = self._picked(pool, tool, effect, caller, avoid)
            if picked is None:
                hold = Hold(self, self._none_of(tool, connection), (), caller)
                hold.refuse("instances", "none of its instances is well", wait)
                return hold
            connection = picked
        guard = self._guard(tool, effect, connection, pool)
        rooms = () if caller.within else guard.rooms
        if rooms and (of_chain := self.policies.chain_concurrency) is not None:
            rooms = (*rooms[:-1], (("chain", caller.chain), of_chain), rooms[-1])
        hold = Hold(self, guard, rooms, caller)
        if wait := guard.breaker.refusal(now):
            hold.refuse("breaker", OPEN, wait)
            return hold
        budget = guard.service.budget
        if not is_retry:
            budget.first(now)
        elif wait := budget.retry(now):
            hold.refuse("retry-budget", "its retries have used up their budget", wait)
            return hold
        hold.begin(now)
        return hold

    def ask_instances(self, ask: Ask, spawn: Spawn | None = None) -> None:
        """From now on have *ask* find out how instances are, where their pools want that."""
        for name, rule in self.policies.pools.items():
            if rule.health is not None:
                pool = self._pools[name]
                health, found = Health(rule.health, pool.names), partial(self._found, pool)
                pool.checker = Checker(health, self.clock, ask, self._rests, found, spawn)

    def _rests(self, instance: str) -> bool:
        service = self._services.get(("connection", instance))
        return service is not None and service.limit.rate.stopped(self.seconds())

    def _found(self, pool: Pool, instance: str, well: bool, news: bool) -> None:
        """A check says how an instance is: its breakers let calls try it, where it is well."""
        if news and self.tell is not None:
            stands, at = "back" if well else "ejected", self.clock.instant()
            shared = instance.partition("#")[0]
            self.tell(InstanceChanged(shared, instance, stands, "health-check", at))
        for guard in self._guards.values() if well else ():
            if guard.connection == instance and guard.breaker.found_well():
                self.breaker_changed(guard)

    def _guard(
        self, tool: str, effect: Effect, connection: str | None, pool: Pool | None
    ) -> Guard:
        try:
            return self._guards[tool, connection]
        except KeyError:
            made = self._guards[tool, connection] = self._made(tool, effect, connection, pool)
            return made

    def _picked(
        self, pool: Pool, tool: str, effect: Effect, caller: Caller, avoid: str | None
    ) -> tuple[str | None, float]:
        """The instance of a pool that takes the call, or how long none will."""
        now, checker = self.seconds(), pool.checker
        if checker is not None:
            checker.used(now)

        def refused(name: str) -> float:
            wait = self._guard(tool, effect, name, pool).breaker.refusal(now)
            return wait if checker is None else max(wait, checker.health.refusal(name, now))

        def busy(name: str) -> float:
            return self._guard(tool, effect, name, pool).service.limit.rate.wait(now)

        return pool.pick(
            effect,
            caller.run,
            self._draw(),
            refused=refused,
            busy=busy,
            stays=caller.stays,
            avoid=avoid,
        )

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

    def breaker_changed(self, guard: Guard) -> None:
        """Tell whoever watches what state a breaker is in now."""
        if self.tell is None:
            return
        state, at = guard.breaker.state, self.clock.instant()
        self.tell(BreakerChanged(guard.tool, guard.connection, state, at))
        name = guard.connection
        if guard.pool is None or name is None or state == "half-open":
            return
        if guard.pool.ejects(name, guard.tool, state == "open"):
            stands = "ejected" if state == "open" else "back"
            shared = name.partition("#")[0]
            self.tell(InstanceChanged(shared, name, stands, "breaker", at, guard.tool))

    def stop(self) -> None:
        """Forget all timers, and ask no instance any more."""
        for service in self._services.values():
            service.stop()
        for pool in self._pools.values():
            if pool.checker is not None:
                pool.checker.stop()

    def _made(self, tool: str, effect: Effect, connection: str | None, pool: Pool | None) -> Guard:
        policies = self.policies
        of_tool = policies.tools.get(tool)
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
        alone = connection is None and effect is Effect.PURE
        breaker = CircuitBreaker(_NEVER if alone else policies.breaker)
        return Guard(tool, connection, breaker, service, tuple(rooms), pool)

    def _none_of(self, tool: str, connection: str | None) -> Guard:
        """What stands for a connection none of whose instances is well."""
        service = self._service(tool, connection, ConnectionLimits())
        return Guard(tool, connection, CircuitBreaker(self.policies.breaker), service, ())

    def _service(self, tool: str, connection: str | None, limits: ConnectionLimits) -> Service:
        key = ("tool", tool) if connection is None else ("connection", connection)
        if key not in self._services:
            budget = RetryBudget(self.policies.retry_budget)
            self._services[key] = Service(budget, limits.rate, self.policies.queue, self.clock)
        return self._services[key]
