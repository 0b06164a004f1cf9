"""Through the real engine: a server that restarts, and secrets that nobody finds."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
import redis
from tests.servers.redis import start_redis

from drawloom.chains import load
from drawloom.connectors.databases.redis.connection import RedisConnection
from drawloom.doors import Doors
from drawloom.project import Project
from drawloom.sdk import Secret

SETTINGS = """
[connections.cache]
kind = "redis"
host = "127.0.0.1"
port = {port}
max_connections = 4
"""
CHAIN = """
chain: many
connections: {{cache: redis}}
steps:
  work:
    use: redis.{tool}
    on: cache
    for_each: "${{[1..{count}]}}"
    concurrency: 8
    with: {with_}
    retry: {{attempts: 50, delay: 50ms, max_delay: 200ms, budget: 5s}}
output: "${{$count(steps.work)}}"
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tool", "with_"),
    [
        ("set", "{key: \"${'k' & $string(item)}\", value: x}"),
        ("incr", "{key: n}"),
    ],
)
async def test_no_call_fails_where_the_server_restarts(tmp_path, tool, with_):
    """The server keeps its data in a log, is killed in the middle, and comes back."""
    count = 3_000
    with start_redis("--appendonly", "yes", "--appendfsync", "always") as server:
        (tmp_path / "drawloom.toml").write_text(SETTINGS.format(port=server.port))
        project = Project.find(tmp_path)
        plan = project.checked_plan(load(CHAIN.format(tool=tool, count=count, with_=with_)))
        async with project.engine(durability="memory") as engine:
            running = asyncio.create_task(engine.run(plan, {}))
            for _ in range(2):
                before = await asyncio.to_thread(written, server)
                while await asyncio.to_thread(written, server) < before + 300:
                    assert not running.done(), "it ended before the server could be killed"
                await asyncio.to_thread(server.stop)
                await asyncio.to_thread(server.start)
            result = await running
        assert result.status == "succeeded", result.failure
        assert result.output == count
        if tool == "incr":
            assert server.ask("GET", "n") == str(count).encode(), "each counted exactly once"
        else:
            assert server.ask("DBSIZE") == count


def written(server: Any) -> int:
    """How much the server has taken: keys, or the number that is counted."""
    try:
        return int(server.ask("GET", "n") or 0) or int(server.ask("DBSIZE"))
    except redis.RedisError:  # it loads its log
        return 0


@pytest.mark.slow
async def test_twelve_passwords_are_found_nowhere(tmp_path, monkeypatch, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    canaries = [f"canary-{number:02}-never-to-be-seen" for number in range(12)]
    shown: list[str] = []
    with start_redis() as server:
        for number, canary in enumerate(canaries):
            server.ask("ACL", "SETUSER", f"user{number}", "on", f">{canary}", "~*", "+@all")
            monkeypatch.setenv(f"CANARY_{number}", canary)
            given = {**server.settings(), "password": Secret(env=f"CANARY_{number}")}
            made = RedisConnection(**given, user=f"user{number}")
            async with made.open(Doors(tmp_path)) as client:
                shown += [str(await made.check(client)), repr(made), made.model_dump_json()]
                async with client.line() as line:
                    shown += [repr(line), repr(client), repr(client.pool), str(line)]
            wrong = RedisConnection(**given, user="nobody")
            shown += [await run(tmp_path, made, 1), await run(tmp_path, wrong, 1)]
        commands = " ".join(server.command)
    shown += [*capfd.readouterr(), caplog.text, *on_disk(tmp_path), commands]
    for canary in canaries:
        assert [text for text in shown if canary in text] == []


def on_disk(folder: Path) -> list[str]:
    """What the run has written, its journal among it, and how this process was called."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.name == "state.db" for path in files)
    files.append(Path("/proc/self/cmdline"))
    return [path.read_bytes().decode("latin-1") for path in files]


async def run(folder: Path, made: RedisConnection, count: int) -> str:
    """What a run through the engine says, be it good or bad."""
    assert made.password is not None
    text = SETTINGS.format(port=made.port) + f'user = "{made.user}"\n'
    reference = made.password.reference["env"]
    (folder / "drawloom.toml").write_text(f'{text}password = {{env = "{reference}"}}\n')
    project = Project.find(folder)
    chain = CHAIN.format(tool="incr", count=count, with_="{key: n}").replace(
        "attempts: 50", "attempts: 1"
    )
    async with project.engine() as engine:
        result = await engine.run(project.checked_plan(load(chain)), {})
    assert result.status == ("failed" if made.user == "nobody" else "succeeded")
    return repr(result)
