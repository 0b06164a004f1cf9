"""Writes that happen once: repeated, at the same moment, and with the answer lost on its way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from drawloom.chains import load
from drawloom.errors import FailureKind
from drawloom.project import Project
from drawloom.sdk import Context

KEYED = Context(key="run/step")


@pytest.fixture
async def numbers(db: Any) -> Any:
    await db.run("CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, n int UNIQUE)")
    return db


async def insert(db: Any, *values: int, context: Context = KEYED) -> Any:
    return await db("insert", table="t", rows=[{"n": n} for n in values], context=context)


WHERE = [{"column": "n", "op": "gt", "value": 1}]
WRITES = [
    ("insert", {"table": "t", "rows": [{"n": 7}]}),
    ("update", {"table": "t", "set": {"n": 7}, "where": WHERE}),
    ("delete", {"table": "t", "where": WHERE}),
    ("load", {"table": "t", "rows": [{"n": 7}]}),
    ("transaction", {"operations": [{"do": "execute", "sql": "UPDATE t SET n = n + 10"}]}),
]


@pytest.mark.parametrize(("tool", "given"), WRITES)
async def test_a_repeated_call_gives_what_the_first_one_gave(numbers, tool, given):
    await insert(numbers, 1, 2, context=Context())
    first = await numbers(tool, **given, context=KEYED)
    after = await numbers.rows("SELECT * FROM t ORDER BY n")
    assert after != [{"id": 1, "n": 1}, {"id": 2, "n": 2}]
    assert await numbers(tool, **given, context=KEYED) == first
    assert await numbers.rows("SELECT * FROM t ORDER BY n") == after
    assert await numbers.rows("SELECT `key` FROM drawloom_effects") == [{"key": KEYED.key}]


async def test_keys_that_differ_by_their_case_are_two(numbers):
    await insert(numbers, 1, context=Context(key="run/a"))
    await insert(numbers, 2, context=Context(key="run/A"))
    assert await numbers.value("SELECT COUNT(*) FROM t") == 2


async def test_without_a_key_nothing_is_kept(numbers):
    await insert(numbers, 1, context=Context())
    assert await numbers.rows("SHOW TABLES LIKE 'drawloom_effects'") == []


async def test_a_key_that_is_too_long_is_refused(numbers):
    failure = await numbers.failure(
        "insert", table="t", rows=[{"n": 1}], context=Context(key="k" * 256)
    )
    assert failure.kind is FailureKind.INVALID
    assert "256 letters" in failure.message


async def test_a_call_that_fails_leaves_no_key(numbers):
    await insert(numbers, 1, context=Context(key="before"))
    failure = await numbers.failure("insert", table="t", rows=[{"n": 1}], context=KEYED)
    assert failure.kind is FailureKind.CONFLICT
    assert (await insert(numbers, 2))["count"] == 1


@pytest.mark.parametrize("settings", [{"max_connections": 8}])
async def test_calls_at_once_write_once(numbers):
    every = await asyncio.gather(*(insert(numbers, 1) for _ in range(8)))
    assert all(one == every[0] for one in every)
    assert await numbers.rows("SELECT n FROM t") == [{"n": 1}]


async def test_what_commits_by_itself_is_no_operation(numbers):
    operations = [{"do": "execute", "sql": "DROP TABLE t"}]
    failure = await numbers.failure("transaction", operations=operations, context=KEYED)
    assert (failure.kind, "commits by itself" in failure.message) == (FailureKind.INVALID, True)


async def test_old_keys_are_forgotten(numbers):
    assert await numbers("forget_effects", older_than=0) == {"count": 0}
    await insert(numbers, 1)
    assert await numbers("forget_effects", older_than=3600.5) == {"count": 0}
    await numbers.run("UPDATE drawloom_effects SET at = at - INTERVAL 2 HOUR")
    assert await numbers("forget_effects", older_than=3600.5) == {"count": 1}
    assert (await numbers.failure("insert", table="t", rows=[{"n": 1}], context=KEYED)).kind == (
        FailureKind.CONFLICT
    )


async def test_a_table_that_was_dropped_is_made_anew(numbers):
    await insert(numbers, 1)
    await numbers.run("DROP TABLE drawloom_effects")
    failure = await numbers.failure("insert", table="t", rows=[{"n": 2}], context=KEYED)
    assert (failure.kind, failure.harmless) == (FailureKind.TRANSIENT, True)
    assert (await insert(numbers, 2))["count"] == 1


class Cut:
    """What stands between the engine and the server, and breaks off instead of the answer to
    the COMMIT of an insert."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.cuts = 0
        self.serving: list[asyncio.Task[Any]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.serving.append(asyncio.current_task())  # type: ignore[arg-type]
        back, there = await asyncio.open_connection("127.0.0.1", self.port)
        said = {"inserted": False, "commits": False}
        await asyncio.gather(
            self._up(reader, there, said), self._down(back, (writer, there), said)
        )

    async def _up(
        self, reader: asyncio.StreamReader, there: asyncio.StreamWriter, said: dict[str, bool]
    ) -> None:
        while data := await reader.read(65_536):
            said["inserted"] = said["inserted"] or b"INSERT INTO `t`" in data
            said["commits"] = said["inserted"] and b"COMMIT" in data
            there.write(data)
        there.close()
        await there.wait_closed()

    async def _down(
        self,
        back: asyncio.StreamReader,
        sinks: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
        said: dict[str, bool],
    ) -> None:
        while data := await back.read(65_536):
            if said["commits"] and not self.cuts:
                self.cuts += 1
                break
            sinks[0].write(data)
        for one in sinks:
            one.close()
            await one.wait_closed()


@asynccontextmanager
async def cut_after_commit(port: int) -> AsyncIterator[tuple[int, Cut]]:
    cut = Cut(port)
    server = await asyncio.start_server(cut.serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1], cut
    server.close()
    await asyncio.gather(*cut.serving, return_exceptions=True)


CHAIN = """
chain: c
connections: {db: mysql}
steps:
  add:
    use: mysql.insert
    on: db
    with: {table: t, rows: [{n: 1}]}
    retry: {attempts: 3, delay: 10ms}
output: "${steps.add}"
"""


async def test_a_commit_whose_answer_is_lost_is_not_repeated(
    numbers: Any, mysql: dict[str, Any], driver: str, tmp_path: Path
) -> None:
    await insert(numbers, 5, context=Context(key="makes the table"))
    async with cut_after_commit(mysql["port"]) as (port, cut):
        (tmp_path / "drawloom.toml").write_text(
            f'[connections.db]\nkind = "mysql"\nhost = "127.0.0.1"\nport = {port}\n'
            f'user = "{mysql["user"]}"\ndatabase = "{mysql["database"]}"\ndriver = "{driver}"\n'
        )
        project = Project.find(tmp_path)
        async with project.engine(durability="memory") as engine:
            result = await engine.run(project.checked_plan(load(CHAIN)), {})
    assert cut.cuts == 1, "the fault did not fire"
    assert result.status == "succeeded", result.failure
    assert result.output == {"count": 1, "last_id": 2}
    assert await numbers.value("SELECT COUNT(*) FROM t WHERE n = 1") == 1
