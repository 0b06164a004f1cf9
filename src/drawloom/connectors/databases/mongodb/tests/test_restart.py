"""A server that dies and comes back, seen by a chain that goes on."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from tests.servers.mongodb import start_mongodb

from drawloom.chains import load
from drawloom.connectors.databases.mongodb.tests.conftest import LEAVES_SOCKETS
from drawloom.project import Project

pytestmark = [pytest.mark.slow, *LEAVES_SOCKETS]
COUNT = 3_000
CHAIN = """
chain: c
connections: {db: mongodb}
steps:
  each:
    use: mongodb.TOOL
    on: db
    for_each: "${[1..3000]}"
    concurrency: 4
    with: WITH
    retry: {attempts: 50, delay: 50ms, max_delay: 200ms, budget: 10s}
output: "${$count(steps.each)}"
"""
INSERTS = '{collection: t, document: {n: "${item}"}}'
UPSERTS = '{collection: t, documents: [{_id: "${item}", n: "${item}"}], key: [_id]}'


@pytest.mark.parametrize(
    ("tool", "given"), [("insert_one", INSERTS), ("upsert", UPSERTS)], ids=["keyed", "idempotent"]
)
async def test_a_restart_of_the_server_heals_without_a_failed_call(
    tmp_path: Path, tool: str, given: str
) -> None:
    """It is killed in the middle, and used again within 5 s of its being there."""
    with start_mongodb() as server:
        (tmp_path / "drawloom.toml").write_text(
            f'[connections.db]\nkind = "mongodb"\nhost = "{server.host}"\nport = {server.port}\n'
            'database = "d"\n'
        )
        project = Project.find(tmp_path)
        plan = project.checked_plan(load(CHAIN.replace("TOOL", tool).replace("WITH", given)))
        async with project.engine(durability="memory") as engine:
            running = asyncio.create_task(engine.run(plan, {}))
            while await written(server) < 50:
                assert not running.done()
            await asyncio.to_thread(server.stop, signal.SIGKILL)
            assert not running.done(), "it was over before the fault"
            await asyncio.to_thread(server.start)
            back = monotonic()
            before = await written(server)
            assert before < COUNT
            while await written(server) == before:
                assert monotonic() - back < 5, "it has not healed"
            result = await running
        assert result.status == "succeeded", result.failure
        assert result.output == COUNT
        with server.connect() as client:
            numbers = sorted(one["n"] for one in client["d"]["t"].find())
        assert numbers == list(range(1, COUNT + 1)), "each is there, and exactly once"


async def written(server: Any) -> int:
    """How many documents the server has taken."""

    def count() -> int:
        with server.connect() as client:
            return int(client["d"]["t"].count_documents({}))

    return await asyncio.to_thread(count)
