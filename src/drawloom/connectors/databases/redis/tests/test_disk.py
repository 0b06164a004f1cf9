"""A disk that is really full: the server refuses to write, and takes writes again later."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis.exceptions import RedisError
from tests.servers.redis import start_redis

from drawloom.connectors.databases.redis import connector
from drawloom.connectors.databases.redis.connection import RedisConnection
from drawloom.connectors.databases.redis.tests.conftest import Caller
from drawloom.doors import Doors
from drawloom.errors import FailureKind, ToolError
from drawloom.sdk import name_fault

pytestmark = pytest.mark.slow


async def test_a_full_disk_is_named_and_harmless(tmp_path: Path, small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    options = ("--dir", str(small_disk), "--appendonly", "yes", "--appendfsync", "everysec")
    with start_redis(*options) as server:
        async with RedisConnection(**server.settings()).open(Doors(tmp_path)) as client:
            db = Caller(client)
            await db("set", key="a", value="before")
            fill(ballast)
            failure = None
            for _ in range(100):  # until what is appended no longer fits
                try:
                    await db("set", key="b", value="x" * 100_000)
                except (RedisError, ToolError) as exc:
                    failure = name_fault(connector.faults, exc)
                    break
            assert failure is not None
            assert (failure.kind, failure.harmless) == (FailureKind.TRANSIENT, True)
            assert "MISCONF" in failure.message
            assert await db("get", key="a") == {"value": "before", "found": True}
            ballast.unlink()
            while not await works(db):
                pass
            assert await db("get", key="c") == {"value": "after", "found": True}


def fill(ballast: Path) -> None:
    """Leave a megabyte."""
    with ballast.open("wb") as file:
        file.write(bytes(7 << 20))


async def works(db: Caller) -> bool:
    """Whether a write is taken: the server tries its disk again once a second."""
    try:
        await db("set", key="c", value="after")
    except (RedisError, ToolError) as exc:
        assert name_fault(connector.faults, exc).kind is FailureKind.TRANSIENT
        return False
    return True
