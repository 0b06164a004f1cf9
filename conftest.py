"""Fixtures for every test of the project, those inside the sources included."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

# Tests are imported one by one, without their folder on the path; the servers are shared.
sys.path.insert(0, str(Path(__file__).parent))

# The installed command is found too where the environment is not activated.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

pytest_plugins = [
    "tests.servers.bubblewrap",
    "tests.servers.cgroups",
    "tests.servers.mongodb",
    "tests.servers.mysql",
    "tests.servers.openbao",
    "tests.servers.postgresql",
    "tests.servers.redis",
    "tests.servers.small_disk",
]

_SERVERS = {
    *("mongodb_server", "guarded_mongodb", "mysql_server", "guarded_mysql", "openbao"),
    *("postgresql_server", "guarded_postgresql", "redis_server"),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test on a real server is slow: it waits for a server, which may have to start first."""
    for item in items:
        if _SERVERS & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
