"""Writes that happen once: repeated, at the same moment, and with the answer lost on its way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from drawloom.chains import load
from drawloom.doors import Doors
from drawloom.errors import FailureKind
from drawloom.project import Project
from drawloom.sdk import Context

KEYED = Context(key="run/step")


@pytest.fixture
async def numbers(db: Any) -> Any:
    sql = "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, n int UNIQUE)"
    await db("execute", sql=sql)
    return db


async def insert(db: Any, *values: int, context: Context = KEYED) -> Any:
    rows = [{"n": value} for value in values]
    return await db("insert", table="t", rows=rows, returning=["id", "n"], context=context)


async def test_a_repeated_call_gives_what_the_first_one_gave(numbers):
    first = await insert(numbers, 1, 2)
    assert await insert(numbers, 1, 2) == first
    assert await numbers.value("SELECT count(*) FROM t") == 2
    other = await insert(numbers, 3, context=Context(key="run/other"))
    assert other["rows"] == [{"id": 3, "n": 3}]


async def test_every_write_of_a_table_is_kept(numbers):
    await insert(numbers, 1, 2)
    for tool, more in (("update", {"values": {"n": 7}}), ("delete", {})):
        given = {"table": "t", "where": {"column": "n", "op": "gt", "value": 1}, **more}
        context = Context(key=f"run/{tool}")
        first = await numbers(tool, **given, returning=["n"], context=context)
        assert first["changes"] == 1
        assert await numbers(tool, **given, returning=["n"], context=context) == first


async def test_without_a_key_nothing_is_kept(numbers):
    await insert(numbers, 1, context=Context())
    assert await numbers.value("SELECT to_regclass('drawloom_effects') IS NULL")


async def test_a_call_that_fails_leaves_no_key(numbers):
    await insert(numbers, 1, context=Context(key="before"))
    failure = await numbers.failure("insert", table="t", rows=[{"n": 1}], context=KEYED)
    assert failure.kind is FailureKind.CONFLICT
    assert (await insert(numbers, 2))["changes"] == 1


@pytest.mark.parametrize("settings", [{"max_connections": 8}])
async def test_calls_at_once_write_once(numbers):
    every = await asyncio.gather(*(insert(numbers, 1) for _ in range(8)))
    assert all(one == every[0] for one in every)
    assert await numbers.rows("SELECT n FROM t") == [{"n": 1}]


async def test_one_waits_for_another_that_is_then_rolled_back(numbers, postgresql_server):
    await insert(numbers, 1, context=Context(key="makes the table"))
    other = await postgresql_server.connect(numbers.client.settings.database)
    transaction = other.transaction()
    await transaction.start()
    await other.execute("INSERT INTO drawloom_effects (key) VALUES ($1)", KEYED.key)
    waiting = asyncio.create_task(insert(numbers, 2))
    blocked = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    while not await other.fetchval(blocked):
        assert not waiting.done()
    await transaction.rollback()
    assert (await waiting)["changes"] == 1
    await other.close()


async def test_old_keys_are_forgotten(numbers):
    await insert(numbers, 1)
    assert await numbers("forget_effects", older_than=3600) == {"count": 0}
    await numbers("execute", sql="UPDATE drawloom_effects SET at = at - interval '2 hours'")
    assert await numbers("forget_effects", older_than=3600) == {"count": 1}


async def test_a_table_that_was_dropped_is_made_anew(numbers):
    await insert(numbers, 1)
    await numbers("execute", sql="DROP TABLE drawloom_effects")
    failure = await numbers.failure("insert", table="t", rows=[{"n": 2}], context=KEYED)
    assert (failure.kind, failure.harmless) == (FailureKind.TRANSIENT, True)
    assert (await insert(numbers, 2))["changes"] == 1


async def test_who_may_not_make_the_table_is_told_what_it_is(numbers, postgresql_server, tmp_path):
    database = numbers.client.settings.database
    role = f"role_of_{database}"
    owner = await postgresql_server.connect(database)
    await owner.execute(
        f"CREATE ROLE {role} LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC;"
        f" GRANT SELECT, INSERT ON t TO {role}"
    )
    try:
        made = numbers.client.settings.model_copy(update={"user": role})
        async with made.open(Doors(tmp_path)) as client:
            failure = await type(numbers)(client).failure(
                "insert", table="t", rows=[{"n": 2}], context=KEYED
            )
    finally:
        await owner.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
        await owner.close()
    assert failure.kind is FailureKind.DENIED
    assert "drawloom_effects (key text PRIMARY KEY" in failure.message


class Cut:
    """What stands between the engine and the server, and breaks one connection after a commit."""

    def __init__(self, port: int, when: bytes) -> None:
        self.port = port
        self.when = when
        self.armed = True
        self.cuts = 0
        self.serving: list[asyncio.Task[Any]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.serving.append(asyncio.current_task())  # type: ignore[arg-type]
        back, there = await asyncio.open_connection("127.0.0.1", self.port)
        await asyncio.gather(self._up(reader, there), self._down(back, writer, there))

    async def _up(self, reader: asyncio.StreamReader, there: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            there.write(data)
        there.close()
        await there.wait_closed()

    async def _down(
        self,
        back: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        there: asyncio.StreamWriter,
    ) -> None:
        wrote = False
        while data := await back.read(65_536):
            wrote = wrote or self.when in data
            if self.armed and wrote and b"COMMIT\0" in data:
                self.armed = False
                self.cuts += 1
                break
            writer.write(data)
        for one in (writer, there):
            one.close()
            await one.wait_closed()


@asynccontextmanager
async def cut_after_commit(port: int, when: bytes) -> AsyncIterator[tuple[int, Cut]]:
    cut = Cut(port, when)
    server = await asyncio.start_server(cut.serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1], cut
    server.close()
    await asyncio.gather(*cut.serving, return_exceptions=True)


CHAIN = """
chain: c
connections: {db: postgresql}
steps:
  add:
    use: postgresql.insert
    on: db
    with: {table: t, rows: [{n: 1}], returning: [id, n]}
    retry: {attempts: 3, delay: 10ms}
output: "${steps.add.rows}"
"""


async def test_a_commit_whose_answer_is_lost_is_not_repeated(
    numbers: Any, postgresql: dict[str, Any], tmp_path: Path
) -> None:
    await insert(numbers, 5, context=Context(key="makes the table"))
    async with cut_after_commit(postgresql["port"], b"INSERT 0 1\0") as (port, cut):
        (tmp_path / "drawloom.toml").write_text(
            f'[connections.db]\nkind = "postgresql"\nhost = "127.0.0.1"\nport = {port}\n'
            f'user = "{postgresql["user"]}"\ndatabase = "{postgresql["database"]}"\n'
        )
        project = Project.find(tmp_path)
        async with project.engine(durability="memory") as engine:
            result = await engine.run(project.checked_plan(load(CHAIN)), {})
    assert cut.cuts == 1, "the fault did not fire"
    assert result.status == "succeeded", result.failure
    assert result.output == [{"id": 2, "n": 1}]
    assert await numbers.value("SELECT count(*) FROM t WHERE n = 1") == 1
