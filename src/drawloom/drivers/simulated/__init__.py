"""Run chains in memory, in time that only passes when nothing else is left to do; see `engine`.

For tests of chains: an hour's rest between two attempts takes no time, and the
same chain, input and answers give the same result as in every other driver.

May import `kernel`, `chains`, `dataflow`, `policies`, `runtime`, `facts`,
`doors` and `sdk`.
"""

from __future__ import annotations

from drawloom.drivers.results import Result, StepResult
from drawloom.drivers.simulated.clock import Clock
from drawloom.drivers.simulated.engine import SimulatedEngine

__all__ = ["Clock", "Result", "SimulatedEngine", "StepResult"]
