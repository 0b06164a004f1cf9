"""The drivers, each with the same tools and the same face."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.drivers.tools import Lab

from drawloom.chains import Plan, compile_chain, load
from drawloom.drivers.embedded import Engine
from drawloom.drivers.results import Result
from drawloom.drivers.simulated import SimulatedEngine
from drawloom.runtime import Catalogue, StoredConnection
from drawloom.runtime.guarding import Policies
from drawloom.sdk import Connector

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


MakeDriver = Callable[..., AbstractAsyncContextManager[Driver]]


@pytest.fixture(params=DRIVERS)
def make_driver(request: pytest.FixtureRequest, tmp_path: Path) -> MakeDriver:
    """Opens a driver with connectors, connections and policies of the test's own."""

    @asynccontextmanager
    async def make(
        *extra: Connector,
        connections: Mapping[str, StoredConnection] | None = None,
        policies: Policies | None = None,
    ) -> AsyncIterator[Driver]:
        lab, name = Lab(), request.param
        catalogue = Catalogue(lab.tools(), extra)
        engine: Any
        if name == "simulated":
            engine = SimulatedEngine(catalogue, connections=connections, policies=policies)
            lab.sleep = engine.clock.sleep
        else:
            # In one of them, nearly every value is large: it must make no difference.
            threshold = 8 if name == "relaxed" else 1 << 18
            engine = Engine(
                catalogue,
                connections,
                state=tmp_path,
                durability=name,
                policies=policies,
                blob_threshold=threshold,
            )
        async with engine:
            yield Driver(name, engine, lab)

    return make


@pytest.fixture
async def driver(make_driver: MakeDriver) -> AsyncIterator[Driver]:
    async with make_driver() as made:
        yield made
