"""Redis on 127.0.0.1:6379, and keys of its own, which it deletes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis

from bench.databases.comparing import BARE, Race, Work, compare, crowd
from drawloom.chains import load
from drawloom.connectors.databases.redis import connector
from drawloom.connectors.databases.redis.connection import RedisConnection
from drawloom.doors import Doors
from drawloom.project import Project
from drawloom.sdk import Context

CALLS, AT_ONCE, CONNECTIONS, ROWS, KEYS = 5_000, 100, 20, 20_000, 100_000
PREFIX = "drawloom-bench:"
SETTINGS = f"""
[connections.cache]
kind = "redis"
host = "127.0.0.1"
max_connections = {CONNECTIONS}
"""
GETS = f"""
chain: gets
connections: {{cache: redis}}
steps:
  get:
    use: redis.get
    on: cache
    for_each: "${{[1..{CALLS}]}}"
    concurrency: {AT_ONCE}
    with: {{key: "{PREFIX}a"}}
output: "${{$count(steps.get)}}"
"""
FETCH = f"""
chain: fetch
connections: {{cache: redis}}
steps:
  rows: {{use: redis.list_range, on: cache, with: {{key: "{PREFIX}rows"}}}}
output: "${{$count(steps.rows.values)}}"
"""


def tool(name: str) -> Any:
    return connector.tools[f"redis.{name}"]


async def compared(bare: Redis, client: Any, engine: Any, project: Project) -> list[Race]:
    scan = {"match": f"{PREFIX}key:*"}

    def chain(text: str) -> Work:
        plan = project.checked_plan(load(text))

        async def run() -> int:
            return int((await engine.run(plan, {})).output)

        return run

    async def fetched() -> int:
        return len(await bare.lrange(f"{PREFIX}rows", 0, -1))

    async def scanned() -> int:
        return len([key async for key in bare.scan_iter(count=1_000, **scan)])

    async def streamed() -> int:
        chunks = tool("scan")(client, Context(batch=1_000), **scan)
        return sum([len(chunk.items) async for chunk in chunks])

    gets = {
        BARE: crowd(CALLS, AT_ONCE, lambda: bare.get(f"{PREFIX}a")),
        "tool": crowd(CALLS, AT_ONCE, lambda: tool("get")(client, key=f"{PREFIX}a")),
        "engine": chain(GETS),
    }
    return [
        await compare(f"{CALLS:,} gets", CALLS, gets, 1.25),
        await compare(
            f"{ROWS:,} values fetched", ROWS, {BARE: fetched, "engine": chain(FETCH)}, 1.10
        ),
        await compare(
            f"{KEYS:,} keys streamed", KEYS, {BARE: scanned, "tool": streamed}, 1.15, "tool"
        ),
    ]


async def measure() -> list[Race]:
    """Set the keys, measure, and delete them."""
    pool = BlockingConnectionPool(
        host="127.0.0.1", max_connections=CONNECTIONS, timeout=30, decode_responses=True
    )
    bare = Redis(connection_pool=pool)
    await bare.set(f"{PREFIX}a", "x" * 100)
    await bare.rpush(f"{PREFIX}rows", *("x" * 100 for _ in range(ROWS)))
    await bare.mset({f"{PREFIX}key:{number}": "x" for number in range(KEYS)})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "drawloom.toml").write_text(SETTINGS)
        project = Project.find(folder)
        made = RedisConnection(host="127.0.0.1", max_connections=CONNECTIONS)
        try:
            async with (
                made.open(Doors(folder)) as client,
                project.engine(durability="memory") as engine,
            ):
                return await compared(bare, client, engine, project)
        finally:
            await bare.unlink(f"{PREFIX}a", f"{PREFIX}rows")
            await bare.unlink(*(f"{PREFIX}key:{number}" for number in range(KEYS)))
            await bare.aclose()
            await pool.aclose()
