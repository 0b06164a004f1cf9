"""A world for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.access.people import World

from drawloom.access import Principal


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "state")
    yield made
    made.access.close()


@pytest.fixture
def owner(world: World) -> Principal:
    return world.owner()
