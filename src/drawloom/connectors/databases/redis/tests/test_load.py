"""Much at once, much in one value, and much in a stream."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
import redis
from tests.servers.redis import clients, start_redis

from drawloom.connectors.databases.redis.connection import RedisConnection
from drawloom.connectors.databases.redis.tests.conftest import Caller
from drawloom.doors import Doors
from drawloom.errors import FailureKind

ROOT = Path(__file__).parents[6]


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"max_connections": 20}])
async def test_a_thousand_calls_at_once_share_twenty_connections(db, redis_server):
    key = db.key("n")
    done = await asyncio.gather(*(db("incr", key=key) for _ in range(1_000)))
    assert sorted(one["value"] for one in done) == list(range(1, 1_001))
    assert len(clients(redis_server, db.client)) <= 20


@pytest.mark.parametrize("encoding", ["text", "json", "base64"])
async def test_a_value_of_five_megabytes(db, encoding):
    value = "ünïx" * 1_000_000 if encoding != "base64" else "AAEC" * 1_250_000
    await db("set", key=db.key("big"), value=value, encoding=encoding)
    assert (await db("get", key=db.key("big"), encoding=encoding))["value"] == value


CHILD = """
import asyncio, sys
from pathlib import Path
from drawloom.connectors.databases.redis import connector
from drawloom.connectors.databases.redis.connection import RedisConnection
from drawloom.doors import Doors
from drawloom.errors import FailureKind
from drawloom.sdk import Context

async def main(port):
    count = total = 0
    made = RedisConnection(host="127.0.0.1", port=port)
    async with made.open(Doors(Path("."))) as client:
        scan = connector.tools["redis.scan"]
        async for chunk in scan(client, Context(batch=1_000), match="item:*"):
            count += len(chunk.items)
            total += sum(int(name[5:]) for name in chunk.items)
    status = Path("/proc/self/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]
    print(count, total, int(peak) * 1024)

asyncio.run(main(int(sys.argv[1])))
"""


@pytest.mark.slow
def test_a_million_keys_go_by_in_little_memory() -> None:
    with start_redis() as server:
        with redis.Redis(server.host, server.port) as client:
            for start in range(0, 1_000_000, 50_000):
                client.mset({f"item:{n}": "x" for n in range(start, start + 50_000)})
        done = subprocess.run(
            [sys.executable, "-c", CHILD, str(server.port)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    count, total, peak = map(int, done.stdout.split())
    print(f"peak memory: {peak / 1e6:.0f} MB")
    assert (count, total) == (1_000_000, 999_999 * 500_000)
    assert peak < 150_000_000


@pytest.mark.slow
async def test_a_server_that_comes_back_heals_the_pool(tmp_path):
    """A call to a server that is away fails; the first one after that does not."""
    with start_redis() as server:
        made = RedisConnection(**server.settings(), max_connections=5)
        async with made.open(Doors(tmp_path)) as client:
            call = Caller(client)
            await asyncio.gather(*(call("set", key="a", value="x") for _ in range(20)))
            server.stop()
            failure = await call.failure("set", key="a", value="x")
            assert failure.kind is FailureKind.TRANSIENT
            server.start()
            await asyncio.gather(*(call("set", key="a", value="y") for _ in range(20)))
            assert (await call("get", key="a"))["value"] == "y"
