"""A password is found nowhere: not in reprs, logs, journals, errors or arguments."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from drawloom.chains import load
from drawloom.connectors.databases.mysql.connection import MysqlConnection
from drawloom.doors import Doors
from drawloom.project import Project
from drawloom.sdk import Secret

CHAIN = """
chain: c
connections: {db: mysql}
steps:
  who:
    use: mysql.query_one
    on: db
    with: {sql: "SELECT CURRENT_USER() AS who"}
    retry: {attempts: 1}
  look:
    use: mysql.select
    on: db
    after: {who: finished}
    with: {table: nowhere}
    on_error: continue
    retry: {attempts: 1}
  add:
    use: mysql.insert
    on: db
    after: {look: finished}
    with: {table: nowhere, rows: [{id: 1}]}
    on_error: continue
    retry: {attempts: 1}
output: {who: "${steps.who.row.who}"}
"""
CANARIES = [f"canary-{number:02}-never-to-be-seen" for number in range(12)]


@pytest.fixture
async def users(guarded_mysql: Any) -> AsyncIterator[list[str]]:
    """A user for each canary, who has it for a password."""
    names = [f"canary_{os.getpid()}_{number}" for number in range(len(CANARIES))]
    made = [
        statement
        for name, canary in zip(names, CANARIES, strict=True)
        for statement in (
            f"CREATE OR REPLACE USER {name}@'%' IDENTIFIED BY '{canary}'",
            f"GRANT SELECT, INSERT, CREATE ON test.* TO {name}@'%'",
        )
    ]
    await guarded_mysql.run("CREATE DATABASE IF NOT EXISTS test", *made)
    yield names
    await guarded_mysql.run(*(f"DROP USER {name}@'%'" for name in names))


@pytest.mark.parametrize("right", [True, False])
async def test_twelve_passwords_are_found_nowhere(
    right: bool,
    users: list[str],
    driver: str,
    guarded_mysql: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []
    for number, (name, canary) in enumerate(zip(users, CANARIES, strict=True)):
        monkeypatch.setenv("TEST_PASSWORD", canary)
        user = name if right else users[number - 1]
        given = {
            **guarded_mysql.settings("test"),
            "user": user,
            "password": Secret(env="TEST_PASSWORD"),
            "driver": driver,
        }
        made = MysqlConnection(**given)
        async with made.open(Doors(tmp_path)) as client:
            shown += [repr(made), repr(client), repr(client.pool), made.model_dump_json()]
            if right:
                shown.append(str(await made.check(client)))
        shown.append(await told(tmp_path / str(number), made, right=right))
    shown += [*capfd.readouterr(), caplog.text, *on_disk(tmp_path)]
    assert any("mysql.insert" in text for text in shown), "the journal is there"
    for canary in CANARIES:
        assert [text for text in shown if canary in text] == []


async def told(folder: Path, made: MysqlConnection, *, right: bool) -> str:
    """What a run through the engine says, be it good or bad."""
    _write(folder, made)
    project = Project.find(folder)
    async with project.engine() as engine:
        result = await engine.run(project.checked_plan(load(CHAIN)), {})
    if right:
        assert (result.status, result.output) == ("succeeded", {"who": f"{made.user}@%"})
    else:
        assert result.failure is not None
        assert result.failure.kind == "denied"
    return repr(result)


def _write(folder: Path, made: MysqlConnection) -> None:
    folder.mkdir()
    (folder / "drawloom.toml").write_text(
        f'[connections.db]\nkind = "mysql"\nhost = "{made.host}"\nport = {made.port}\n'
        f'user = "{made.user}"\ndatabase = "test"\ndriver = "{made.driver}"\n'
        'password = {env = "TEST_PASSWORD"}\n'
    )


def on_disk(folder: Path) -> list[str]:
    """What the runs have written, their journals among it, and how this process was called."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    files.append(Path("/proc/self/cmdline"))
    return [path.read_bytes().decode("latin-1") for path in files]
