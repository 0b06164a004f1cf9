"""A password is found nowhere: not in reprs, logs, journals, errors or arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drawloom.chains import load
from drawloom.connectors.databases.postgresql.connection import PostgresqlConnection
from drawloom.doors import Doors
from drawloom.project import Project
from drawloom.sdk import Secret

CHAIN = """
chain: c
connections: {db: postgresql}
steps:
  add:
    use: postgresql.insert
    on: db
    with: {table: t, rows: [{id: 1}]}
    on_error: continue
    retry: {attempts: 1}
  look:
    use: postgresql.select
    on: db
    after: {add: finished}
    with: {table: nowhere}
    retry: {attempts: 1}
output: {add: "${steps.add ?? null}"}
"""


@pytest.mark.parametrize("right", [True, pytest.param(False, marks=pytest.mark.slow)])
async def test_passwords_are_seen_nowhere(
    right: bool,
    tmp_path: Path,
    guarded_postgresql: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    own = guarded_postgresql.password
    canaries = [own] if right else [f"canary-{number}-not-to-be-seen" for number in range(12)]
    seen = []
    for number, canary in enumerate(canaries):
        monkeypatch.setenv("TEST_PASSWORD", canary)
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "drawloom.toml").write_text(
            '[connections.db]\nkind = "postgresql"\nhost = "127.0.0.1"\n'
            f'port = {guarded_postgresql.port}\nuser = "postgres"\ndatabase = "postgres"\n'
            'password = {env = "TEST_PASSWORD"}\n'
        )
        project = Project.find(folder)
        async with project.engine() as engine:
            result = await engine.run(project.checked_plan(load(CHAIN)), {})
        assert result.status == "failed"
        assert result.failure is not None
        assert result.failure.kind == ("missing" if right else "denied")
        seen += [repr(result), str(result.failure)]
        made = PostgresqlConnection(
            host="127.0.0.1", database="x", user="x", password=Secret(env="TEST_PASSWORD")
        )
        async with made.open(Doors(folder)) as client:
            seen += [repr(made), repr(client), made.model_dump_json()]
    written = everything(tmp_path)
    assert any(b"postgresql.insert" in content for content in written), "the journal is there"
    written += [text.encode() for text in (*seen, caplog.text)]
    for canary in canaries:
        assert not [content for content in written if canary.encode() in content]


def everything(folder: Path) -> list[bytes]:
    """All files below *folder*, and the arguments of this process."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return [path.read_bytes() for path in (*files, Path("/proc/self/cmdline"))]
