"""Run by `test_starting.py` alone: a test that has servers, tells of them, and does not end."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest
from tests.servers.postgresql import start_postgresql
from tests.servers.redis import start_redis


@pytest.fixture
def servers() -> Iterator[list[dict[str, object]]]:
    """What a test needs to know of them to see that they are gone."""
    with start_redis() as redis, start_postgresql() as postgresql:
        folders = (redis.command[redis.command.index("--dir") + 1], str(postgresql.folder))
        told = zip((redis, postgresql), folders, strict=True)
        yield [{"port": s.port, "pid": s.process.pid, "folder": f} for s, f in told if s.process]


def test_holds_its_servers(servers: list[dict[str, object]]) -> None:
    print(f"\n{json.dumps(servers)}", flush=True)
    threading.Event().wait()
