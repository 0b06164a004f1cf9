"""No test of a chain may touch the outside."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.testing.shop import touched


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    touched.clear()
    yield
    assert touched == [], "a test of a chain touched the outside"
