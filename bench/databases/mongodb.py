"""MongoDB: the bare driver, the connector's tool, and the tool as a step of the engine.

`engine` keeps its runs in memory, `durable` on disk. Starts a server of its own, as the
tests do. SecantusDB, where there is no mongod, looks through the whole collection for a
range of `_id` and sorts it, so that most of a stream's time there is the server's.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient
from tests.servers.mongodb import MongodbServer, start_mongodb

from bench.databases.comparing import BARE, COUNT, Race, Work, compare, crowd
from drawloom.chains import load
from drawloom.connectors.databases.mongodb import connector
from drawloom.connectors.databases.mongodb.connection import MongodbConnection
from drawloom.doors import Doors
from drawloom.project import Project

CALLS, AT_ONCE, CONNECTIONS, ROWS = 3_000, 100, 20, 20_000
STREAMED, PORTION = 5_000, 250
DATABASE = "drawloom_bench"
SETTINGS = """
tools = ["tools.py"]
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
  counts: {{use: my.count, for_each: "${{steps.all}}", batch: {PORTION}, with: {{rows: "${{item}}"}}}}
output: "${{$sum(steps.counts)}}"
"""


async def measure() -> list[Race]:
    """Start a server, fill it, and measure."""
    with start_mongodb() as server:
        return await _measured(server)


async def _measured(server: MongodbServer) -> list[Race]:
    driver: AsyncMongoClient[Any] = AsyncMongoClient(
        server.host, server.port, directConnection=True, maxPoolSize=CONNECTIONS, tz_aware=True
    )
    database = driver[DATABASE]
    rows = [{"_id": n, "name": f"n{n}", "total": n / 4, "tags": ["a", "b"]} for n in range(ROWS)]
    await database["t"].insert_many(rows)
    await database["few"].insert_many(rows[:STREAMED])
    place = {**server.settings(DATABASE), "connections": CONNECTIONS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "drawloom.toml").write_text(SETTINGS.format(**place))
        (folder / "tools.py").write_text(COUNT)
        project = Project.find(folder)
        made = MongodbConnection(**server.settings(DATABASE), max_connections=CONNECTIONS)
        async with (
            made.open(Doors(folder)) as client,
            project.engine(durability="memory") as engine,
        ):
            races = await _compared(database, client, engine, project)
    await driver.close()
    return races


async def _compared(database: Any, client: Any, engine: Any, project: Project) -> list[Race]:
    target, equal = database["t"], {"_id": {"$eq": 5}}

    def tool(name: str) -> Any:
        return connector.tools[f"mongodb.{name}"].function

    def chain(text: str) -> Work:
        plan = project.checked_plan(load(text))

        async def run() -> int:
            return int((await engine.run(plan, {})).output)

        return run

    async def fetched() -> int:
        return len(await target.find().to_list())

    async def paged() -> int:
        """The bare driver, reading in the same portions as the tool."""
        after: dict[str, Any] = {}
        count = 0
        while (
            found := await database["few"].find(after, sort=[("_id", 1)], limit=PORTION).to_list()
        ):
            after = {"_id": {"$gt": found[-1]["_id"]}}
            count += len(found)
        return count

    finds = {
        BARE: crowd(CALLS, AT_ONCE, lambda: target.find(equal, limit=1).to_list()),
        "tool": crowd(CALLS, AT_ONCE, lambda: tool("find_one")(client, "t", equal)),
        "engine": chain(GETS),
    }
    return [
        await compare(f"{CALLS:,} documents found", CALLS, finds, 1.25),
        await compare(f"{ROWS:,} fetched", ROWS, {BARE: fetched, "engine": chain(FETCH)}, 1.10),
        await compare(
            f"{STREAMED:,} streamed", STREAMED, {BARE: paged, "engine": chain(STREAM)}, 1.15
        ),
    ]
