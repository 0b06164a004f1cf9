"""Guards: what stands before a call, for all runs of one engine.

A breaker, a retry budget, places (bulkheads) and a rate decide whether a call
goes on, waits its turn, or is refused as throttled. They are the machines of
`policies`; here they are held, told the time, and told how calls ended.
"""

from __future__ import annotations

from drawloom.runtime.guarding.guards import Guards
from drawloom.runtime.guarding.hold import Caller, Hold
from drawloom.runtime.guarding.pools import PoolRule
from drawloom.runtime.guarding.rules import ConnectionLimits, Policies

__all__ = ["Caller", "ConnectionLimits", "Guards", "Hold", "Policies", "PoolRule"]
