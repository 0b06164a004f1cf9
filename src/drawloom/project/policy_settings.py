"""`[policies]`, and the limits and instances of connections: what all runs share.

    [policies]
    concurrency = 10000              # calls at once, in all
    connection_concurrency = 100     # calls at once on one connection
    chain_concurrency = 500          # calls at once of one chain; no limit if absent
    queue = 10000                    # calls that may wait for their turn; more are refused

    [policies.breaker]               # stop calling what fails
    failure_rate = 0.5               # of at least so many of the last calls within the window
    minimum_calls = 20
    calls = 100
    window = "30s"
    open_for = "5s"                  # doubled each time a probe fails,
    open_at_most = "1m"              # up to this
    probes = 3

    [policies.retry_budget]          # retries are at most ratio * first attempts + reserve
    ratio = 1.0
    reserve = 10
    window = "10s"

    [policies.tools."http.request"]
    concurrency = 20                 # calls at once of this tool

    [connections.api.limits]
    per_second = 5                   # calls a second, on average
    burst = 10                       # calls at once after a rest
    concurrency = 8                  # calls at once on this connection

    [connections.api.balance]        # where there are several instances
    strategy = "two_choices"

    [connections.api.health_check]   # ask each instance how it is, while it is used
    every = "10s"
    timeout = "2s"

    [[connections.api.instances]]    # what differs from the connection
    base_url = "https://a.example.org"

    [[connections.api.instances]]
    base_url = "https://b.example.org"
    role = "replica"                 # reads only; primary if absent
    weight = 3                       # for the strategy `weighted`

An impossible number is refused with its key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeAlias, cast

from drawloom.chains.findings import did_you_mean
from drawloom.dataflow.durations import seconds
from drawloom.policies.circuit_breaker import BreakerRule
from drawloom.policies.health import HealthRule
from drawloom.policies.load_balancing import STRATEGIES, Instance, Role, Strategy
from drawloom.policies.rate_limit import RateRule
from drawloom.policies.retry_budget import BudgetRule
from drawloom.runtime.guarding import ConnectionLimits, Policies, PoolRule

Refuse: TypeAlias = Callable[[str, str], NoReturn]
Table: TypeAlias = Mapping[str, Any]

_MOST = 1_000_000


class PolicyReader:
    """Checks the policies, key by key; *refuse* is told the key and what is wrong."""

    def __init__(self, refuse: Refuse) -> None:
        self._refuse = refuse

    def policies(
        self,
        value: Any,
        limits: Mapping[str, ConnectionLimits],
        pools: Mapping[str, PoolRule],
    ) -> Policies:
        """`[policies]` with the limits and the instances of the connections."""
        known = ("concurrency", "chain_concurrency", "connection_concurrency", "queue")
        table = self._table(value, "policies", (*known, "breaker", "retry_budget", "tools"))
        usual = Policies()
        return Policies(
            self._count(table, "policies", "concurrency", usual.concurrency),
            self._maybe(table, "policies", "chain_concurrency"),
            self._count(table, "policies", "connection_concurrency", usual.connection_concurrency),
            self._count(table, "policies", "queue", usual.queue, least=0),
            self._breaker(table.get("breaker", {})),
            self._budget(table.get("retry_budget", {})),
            self._tools(table.get("tools", {})),
            limits,
            pools,
        )

    def limits(self, name: str, value: Any) -> ConnectionLimits:
        """`[connections.NAME.limits]`."""
        key = f"connections.{name}.limits"
        table = self._table(value, key, ("per_second", "burst", "concurrency"))
        rate = None
        if "per_second" in table:
            rate = self._number(table, key, "per_second", 1.0, 0.0001, 1_000_000)
        elif "burst" in table:
            self._refuse(f"{key}.burst", "has no effect without per_second")
        burst = self._count(table, key, "burst", 1)
        return ConnectionLimits(RateRule(rate, burst), self._maybe(table, key, "concurrency"))

    def pool(self, name: str, written: Table) -> PoolRule | None:
        """`[[connections.NAME.instances]]` and how calls are spread over them."""
        key, instances = f"connections.{name}.instances", written.get("instances")
        balance = self._table(
            written.get("balance", {}), f"connections.{name}.balance", ("strategy",)
        )
        health = self._health(f"connections.{name}.health_check", written.get("health_check"))
        if instances is None:
            for part in ("balance", "health_check"):
                if part in written:
                    self._refuse(f"connections.{name}.{part}", "has no effect without instances")
            return None
        if not isinstance(instances, list) or not instances:
            self._refuse(key, f"must be tables, as in [[{key}]]")
        found: list[Instance] = []
        settings: dict[str, Table] = {}
        for number, given in enumerate(instances, 1):
            found.append(self._instance(f"{name}#{number}", f"{key}.{number}", given))
            own = {k: v for k, v in given.items() if k not in ("role", "weight")}
            settings[found[-1].name] = own
        if all(instance.role == "replica" for instance in found):
            self._refuse(key, "one of them must be a primary, or nothing could be written")
        strategy = balance.get("strategy", "round_robin")
        if strategy not in STRATEGIES:
            advice = did_you_mean(str(strategy), STRATEGIES) or f"known: {', '.join(STRATEGIES)}"
            self._refuse(f"connections.{name}.balance.strategy", f"there is no such; {advice}")
        return PoolRule(tuple(found), cast(Strategy, strategy), settings, health)

    def _health(self, key: str, value: Any) -> HealthRule | None:
        if value is None:
            return None
        table, usual = self._table(value, key, ("every", "timeout")), HealthRule()
        every = self._seconds(table, key, "every", usual.every)
        timeout = self._seconds(table, key, "timeout", min(usual.timeout, every))
        if timeout > every:
            self._refuse(f"{key}.timeout", "must not be longer than every")
        return HealthRule(every, timeout)

    def _instance(self, name: str, key: str, given: Any) -> Instance:
        if not isinstance(given, dict):
            self._refuse(key, "must be a table")
        role = given.get("role", "primary")
        if role not in ("primary", "replica"):
            self._refuse(f"{key}.role", "must be primary or replica")
        return Instance(name, cast(Role, role), self._count(given, key, "weight", 1))

    def _breaker(self, value: Any) -> BreakerRule:
        key, usual = "policies.breaker", BreakerRule()
        table = self._table(value, key, tuple(BreakerRule.__dataclass_fields__))
        rule = BreakerRule(
            self._number(table, key, "failure_rate", usual.failure_rate, 0.01, 1),
            self._count(table, key, "minimum_calls", usual.minimum_calls),
            self._count(table, key, "calls", usual.calls),
            self._seconds(table, key, "window", usual.window),
            self._seconds(table, key, "open_for", usual.open_for),
            self._seconds(table, key, "open_at_most", usual.open_at_most),
            self._count(table, key, "probes", usual.probes),
        )
        if rule.minimum_calls > rule.calls:
            self._refuse(
                f"{key}.minimum_calls",
                f"{rule.minimum_calls} can never be reached: only the last {rule.calls} `calls` "
                "are looked at",
            )
        if rule.open_for > rule.open_at_most:
            self._refuse(f"{key}.open_for", "must not be longer than open_at_most")
        return rule

    def _budget(self, value: Any) -> BudgetRule:
        key, usual = "policies.retry_budget", BudgetRule()
        table = self._table(value, key, tuple(BudgetRule.__dataclass_fields__))
        return BudgetRule(
            self._number(table, key, "ratio", usual.ratio, 0, 1),
            self._count(table, key, "reserve", usual.reserve, least=0),
            self._seconds(table, key, "window", usual.window),
        )

    def _tools(self, value: Any) -> dict[str, int]:
        if not isinstance(value, dict):
            self._refuse("policies.tools", 'must be tables, as in [policies.tools."http.request"]')
        found = {}
        for tool, given in value.items():
            key = f'policies.tools."{tool}"'
            table = self._table(given, key, ("concurrency",))
            if "concurrency" not in table:
                self._refuse(key, "concurrency is missing")
            found[tool] = self._count(table, key, "concurrency", 1)
        return found

    def _table(self, value: Any, key: str, known: tuple[str, ...]) -> Table:
        if not isinstance(value, dict):
            self._refuse(key, f"must be a table, as in [{key}]")
        for name in value:
            if name not in known:
                advice = did_you_mean(name, known) or f"known: {', '.join(known)}"
                self._refuse(f"{key}.{name}", f"there is no such key; {advice}")
        return value

    def _maybe(self, table: Table, key: str, name: str) -> int | None:
        return self._count(table, key, name, 1) if name in table else None

    def _count(self, table: Table, key: str, name: str, usual: int, *, least: int = 1) -> int:
        value = table.get(name, usual)
        if type(value) is not int or not least <= value <= _MOST:
            self._refuse(f"{key}.{name}", f"must be a whole number from {least} to {_MOST}")
        return value

    def _number(
        self, table: Table, key: str, name: str, usual: float, least: float, most: float
    ) -> float:
        value = table.get(name, usual)
        if type(value) not in (int, float) or not least <= value <= most:
            self._refuse(f"{key}.{name}", f"must be a number from {least:g} to {most:g}")
        return float(value)

    def _seconds(self, table: Table, key: str, name: str, usual: float) -> float:
        value = table.get(name, usual)
        try:
            found = seconds(value)
        except ValueError as exc:
            self._refuse(f"{key}.{name}", str(exc))
        if not 0.001 <= found <= 86_400:
            self._refuse(f"{key}.{name}", "must be from 1 ms to 1 day")
        return found
