"""The program that code steps run in."""

from __future__ import annotations

import pytest
from tests.servers.lookup import missing, program


@pytest.fixture
def bubblewrap() -> None:
    """Skip loudly where there is none, or fail where the whole of the tests is promised."""
    if program("bwrap") is None:
        missing("bubblewrap", "apt-get install bubblewrap")
