"""An embedded engine per test, and what the tests of it share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.drivers.tools import Lab

from drawloom.chains import Plan, compile_chain, load
from drawloom.drivers.embedded import Engine
from drawloom.sdk import Tool

MakeEngine = Callable[..., Engine]
Compile = Callable[..., Plan]


@pytest.fixture
def lab() -> Lab:
    return Lab()


@pytest.fixture
def make_engine(tmp_path: Path, lab: Lab) -> MakeEngine:
    """Make an engine on the test's own state directory, with the lab's tools and more."""

    def make(*more: Tool, **settings: Any) -> Engine:
        return Engine(lab.catalogue(*more), state=tmp_path / "state", **settings)

    return make


@pytest.fixture
def compile_for() -> Compile:
    def compiled(engine: Engine, text: str) -> Plan:
        return compile_chain(load(text), engine.catalogue.find)

    return compiled
