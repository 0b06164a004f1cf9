"""Redis: the bare driver, the connector's tool, and the tool as a step of the engine.

Uses the server on 127.0.0.1:6379, and keys of its own, which it deletes.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis

from drawloom.chains import load
from drawloom.connectors.databases.redis import connector
from drawloom.connectors.databases.redis.connection import RedisConnection
from drawloom.doors import Doors
from drawloom.project import Project
from drawloom.sdk import Context

CALLS, AT_ONCE, CONNECTIONS, ROWS, KEYS, ROUNDS = 5_000, 100, 20, 20_000, 100_000, 5
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
Work = Callable[[], Awaitable[object]]


async def crowd(call: Work) -> None:
    """CALLS calls, AT_ONCE of them at a time."""
    left = iter(range(CALLS))

    async def one() -> None:
        for _ in left:
            await call()

    await asyncio.gather(*(one() for _ in range(AT_ONCE)))


async def seconds(work: Work) -> float:
    """The median of a few rounds, behind one that is not counted."""
    taken = []
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        await work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[1:])


def tool(name: str) -> Any:
    return connector.tools[f"redis.{name}"]


async def drained(items: AsyncIterator[Any]) -> None:
    async for _ in items:
        pass


async def compared(bare: Redis, client: Any, engine: Any, project: Project) -> None:
    gets, fetch = (project.checked_plan(load(text)) for text in (GETS, FETCH))
    scan = {"match": f"{PREFIX}key:*"}
    measured: list[tuple[str, dict[str, Work]]] = [
        (
            f"get, {AT_ONCE} at once",
            {
                "driver": lambda: crowd(lambda: bare.get(f"{PREFIX}a")),
                "tool": lambda: crowd(lambda: tool("get")(client, key=f"{PREFIX}a")),
                "engine": lambda: engine.run(gets, {}),
            },
        ),
        (
            f"fetch {ROWS} values",
            {
                "driver": lambda: bare.lrange(f"{PREFIX}rows", 0, -1),
                "tool": lambda: tool("list_range")(client, key=f"{PREFIX}rows"),
                "engine": lambda: engine.run(fetch, {}),
            },
        ),
        (
            f"stream {KEYS} keys",
            {
                "driver": lambda: drained(bare.scan_iter(count=1_000, **scan)),
                "tool": lambda: drained(tool("scan")(client, Context(batch=1_000), **scan)),
            },
        ),
    ]
    for title, ways in measured:
        taken = {way: await seconds(work) for way, work in ways.items()}
        for way, time_taken in taken.items():
            over = time_taken / taken["driver"] - 1
            print(f"{title:24} {way:8} {time_taken * 1_000:9.1f} ms  {over:+7.1%}")


async def main() -> None:
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
                await compared(bare, client, engine, project)
        finally:
            await bare.unlink(f"{PREFIX}a", f"{PREFIX}rows")
            await bare.unlink(*(f"{PREFIX}key:{number}" for number in range(KEYS)))
            await bare.aclose()
            await pool.aclose()


if __name__ == "__main__":
    asyncio.run(main())
