"""The numbers that guards go by; the defaults are safe for any service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from drawloom.policies.circuit_breaker import BreakerRule
from drawloom.policies.rate_limit import RateRule
from drawloom.policies.retry_budget import BudgetRule
from drawloom.runtime.guarding.pools import PoolRule

CALLS_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What one connection may be asked for; None is the default of all connections."""

    rate: RateRule = field(default_factory=RateRule)
    concurrency: int | None = None


@dataclass(frozen=True, slots=True)
class Policies:
    """Calls at once: in all, for one chain, for one connection and for one tool.

    None is without a limit of its own. `queue` calls may wait for a place, and
    as many per connection for its rate; more are refused. What holds for a
    connection holds for each of its instances, where it has a pool of them.
    """

    concurrency: int = CALLS_AT_ONCE
    chain_concurrency: int | None = None
    connection_concurrency: int = 100
    queue: int = 10_000
    breaker: BreakerRule = field(default_factory=BreakerRule)
    retry_budget: BudgetRule = field(default_factory=BudgetRule)
    tools: Mapping[str, int] = field(default_factory=dict)  # calls at once, by tool
    connections: Mapping[str, ConnectionLimits] = field(default_factory=dict)
    pools: Mapping[str, PoolRule] = field(default_factory=dict)  # by connection

    def limits(self, tool: str) -> bool:
        """Whether a limit was set that calls of *tool* count to, whatever they do."""
        of_all = self.concurrency != CALLS_AT_ONCE or self.chain_concurrency is not None
        return of_all or tool in self.tools
