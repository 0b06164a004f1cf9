"""The state of a connection's pool is a fact, while somebody watches."""

from __future__ import annotations

from pathlib import Path

from tests.servers.redis import RedisServer

from drawloom.chains import load
from drawloom.facts import Fact, PoolChanged
from drawloom.project import Project

CHAIN = """
chain: c
connections: {cache: redis}
steps:
  wait:
    use: redis.list_wait_pop
    on: cache
    for_each: "${[1..6]}"
    concurrency: 6
    with: {key: KEY, seconds: 0.3}
output: "${$count(steps.wait)}"
"""


async def test_who_watches_sees_calls_wait_for_a_connection(
    tmp_path: Path, redis_server: RedisServer, redis_prefix: str
) -> None:
    (tmp_path / "drawloom.toml").write_text(
        f'[connections.cache]\nkind = "redis"\nhost = "127.0.0.1"\nport = {redis_server.port}\n'
        "max_connections = 2\n"
    )
    project = Project.find(tmp_path)
    facts: list[Fact] = []
    async with project.engine(durability="memory") as engine:
        engine.watch(facts.append)
        plan = project.checked_plan(load(CHAIN.replace("KEY", f"{redis_prefix}list")))
        result = await engine.run(plan, {})
    assert result.status == "succeeded", result.failure
    told = [fact for fact in facts if isinstance(fact, PoolChanged)]
    assert {(fact.connection, fact.most) for fact in told} == {("cache", 2)}
    assert (2, 0, 4) in [(fact.size, fact.idle, fact.waiting) for fact in told]
    assert told == sorted(told, key=lambda fact: fact.at)
