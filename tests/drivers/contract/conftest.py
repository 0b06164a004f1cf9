"""The drivers, each with the same tools and the same face."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.drivers.tools import Lab

from drawloom.chains import Plan, compile_chain, load
from drawloom.drivers.embedded import Engine
from drawloom.drivers.results import Result
from drawloom.drivers.simulated import SimulatedEngine

DRIVERS = ("simulated", "memory", "relaxed", "full")


@dataclass
class Driver:
    """An open engine, and the tools that it may call."""

    name: str
    engine: Any
    lab: Lab

    @property
    def keeps(self) -> bool:
        """Whether it knows a run that has ended and was waited for."""
        return self.name != "memory"

    def plan(self, text: str) -> Plan:
        return compile_chain(load(text), self.engine.catalogue.find)

    async def run(self, text: str, input: Mapping[str, Any] | None = None, **more: Any) -> Result:
        result: Result = await self.engine.run(self.plan(text), input, **more)
        return result


@pytest.fixture(params=DRIVERS)
async def driver(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Driver]:
    lab = Lab()
    if request.param == "simulated":
        simulated = SimulatedEngine(lab.catalogue())
        lab.sleep = simulated.clock.sleep
        async with simulated:
            yield Driver(request.param, simulated, lab)
        return
    # In one of them, nearly every value is large: it must make no difference.
    more = {"blob_threshold": 8} if request.param == "relaxed" else {}
    async with Engine(lab.catalogue(), state=tmp_path, durability=request.param, **more) as engine:
        yield Driver(request.param, engine, lab)
