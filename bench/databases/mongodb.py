"""MongoDB: the bare driver, the connector's tool, and the tool as a step of the engine.

`engine` keeps its runs in memory, `durable` on disk. Starts a server of its own, as the
tests do. SecantusDB, where there is no mongod, looks through the whole collection for a
range of `_id` and sorts it, so that most of a stream's time there is the server's.
"""

from __future__ import annotations

import asyncio
import gc
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient
from tests.servers.mongodb import MongodbServer, start_mongodb

from drawloom.chains import load
from drawloom.connectors.databases.mongodb import connector
from drawloom.connectors.databases.mongodb.connection import MongodbConnection
from drawloom.doors import Doors
from drawloom.project import Project
from drawloom.sdk import Context

CALLS, AT_ONCE, CONNECTIONS, ROWS, ROUNDS = 1_000, 100, 20, 20_000, 8
STREAMED, PORTION = 5_000, 250
DATABASE = "drawloom_bench"
SETTINGS = """
[connections.db]
kind = "mongodb"
host = "{host}"
port = {port}
database = "{database}"
max_connections = {connections}
"""
GETS = f"""
chain: gets
connections: {{db: mongodb}}
steps:
  get:
    use: mongodb.find_one
    on: db
    for_each: "${{[1..{CALLS}]}}"
    concurrency: {AT_ONCE}
    with: {{collection: t, filter: {{_id: {{$eq: 5}}}}}}
output: "${{$count(steps.get)}}"
"""
FETCH = """
chain: fetch
connections: {db: mongodb}
steps:
  all: {use: mongodb.find, on: db, with: {collection: t}}
output: "${steps.all.count}"
"""
STREAM = f"""
chain: stream
connections: {{db: mongodb}}
steps:
  all: {{use: mongodb.stream, on: db, with: {{collection: few}}}}
  counts:
    use: core.aggregate
    for_each: "${{steps.all}}"
    batch: {PORTION}
    with: {{rows: "${{item}}", values: {{n: count}}}}
output: "${{$sum(steps.counts.rows.n)}}"
"""
Work = Callable[[], Awaitable[object]]


async def crowd(call: Work) -> None:
    """CALLS calls, AT_ONCE of them at a time."""
    left = iter(range(CALLS))

    async def one() -> None:
        for _ in left:
            await call()

    await asyncio.gather(*(one() for _ in range(AT_ONCE)))


async def compared(title: str, ways: dict[str, Work]) -> None:
    """Print what a quarter of the times of each way are below; a round is one of each.

    Not the median: SecantusDB stops for 80 ms now and then, and what it hits is chance.
    """
    taken: dict[str, list[float]] = {way: [] for way in ways}
    dice = random.Random(ROUNDS)
    for _ in range(ROUNDS + 1):
        for way in dice.sample(list(ways), len(ways)):  # none is always behind the same other
            gc.collect()  # else one way pays for what the others have left
            began = time.perf_counter()
            await ways[way]()
            taken[way].append(time.perf_counter() - began)
    typical = {way: statistics.quantiles(times[1:], n=4)[0] for way, times in taken.items()}
    for way, seconds in typical.items():
        over = seconds / typical["driver"] - 1
        print(f"{title:24} {way:8} {seconds * 1_000:9.1f} ms  {over:+7.1%}")


async def drained(items: AsyncIterator[Any]) -> None:
    async for _ in items:
        pass


async def pages(target: Any) -> None:
    """The bare driver, reading in the same portions as the tool."""
    after: dict[str, Any] = {}
    while found := await target.find(after, sort=[("_id", 1)], limit=PORTION).to_list():
        after = {"_id": {"$gt": found[-1]["_id"]}}


async def measure(database: Any, client: Any, engines: dict[str, Any], project: Project) -> None:
    def tool(name: str) -> Any:
        return connector.tools[f"mongodb.{name}"].function

    def through(text: str, expected: int) -> dict[str, Work]:
        """The chain through each engine, which must give the right output."""
        plan = project.checked_plan(load(text))

        async def run(engine: Any) -> None:
            result = await engine.run(plan, {})
            assert result.output == expected, result

        return {name: lambda engine=engine: run(engine) for name, engine in engines.items()}

    target, equal = database["t"], {"_id": {"$eq": 5}}
    await compared(
        f"find one, {AT_ONCE} at once",
        {
            "driver": lambda: crowd(lambda: target.find(equal, limit=1).to_list()),
            "tool": lambda: crowd(lambda: tool("find_one")(client, "t", equal)),
            **through(GETS, CALLS),
        },
    )
    await compared(
        f"fetch {ROWS} documents",
        {
            "driver": lambda: target.find().to_list(),
            "tool": lambda: tool("find")(client, "t"),
            **through(FETCH, ROWS),
        },
    )
    await compared(
        f"stream {STREAMED} documents",
        {
            "driver": lambda: pages(database["few"]),
            "tool": lambda: drained(tool("stream")(client, "few", Context(batch=PORTION))),
            **through(STREAM, STREAMED),
        },
    )


async def main(server: MongodbServer) -> None:
    driver: AsyncMongoClient[Any] = AsyncMongoClient(
        server.host, server.port, directConnection=True, maxPoolSize=CONNECTIONS, tz_aware=True
    )
    database = driver[DATABASE]
    await driver.drop_database(DATABASE)
    rows = [{"_id": n, "name": f"n{n}", "total": n / 4, "tags": ["a", "b"]} for n in range(ROWS)]
    await database["t"].insert_many(rows)
    await database["few"].insert_many(rows[:STREAMED])
    place = {**server.settings(DATABASE), "connections": CONNECTIONS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "drawloom.toml").write_text(SETTINGS.format(**place))
        project = Project.find(folder)
        made = MongodbConnection(**server.settings(DATABASE), max_connections=CONNECTIONS)
        async with (
            made.open(Doors(folder)) as client,
            project.engine(durability="memory") as engine,
            project.engine() as durable,
        ):
            await measure(database, client, {"engine": engine, "durable": durable}, project)
    await driver.drop_database(DATABASE)
    await driver.close()


if __name__ == "__main__":
    with start_mongodb() as started:
        asyncio.run(main(started))
