"""Load balancing over a real PostgreSQL primary and its streaming replica."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.servers.postgresql import PostgresqlServer, start_postgresql, start_replica

from drawloom.chains import load
from drawloom.errors import FailureKind
from drawloom.project import Project

pytestmark = pytest.mark.slow

READ = """
chain: read
connections: {db: postgresql}
steps:
  read:
    use: postgresql.query_one
    on: db
    retry: {attempts: 5, delay: 10ms, max_delay: 10ms}
    with: {sql: SELECT pg_is_in_recovery() AS standby}
output: "${steps.read.row.standby}"
"""
WRITE = """
chain: write
connections: {db: postgresql}
steps:
  write:
    use: postgresql.execute
    on: db
    retry: {attempts: 1}
    with: {sql: INSERT INTO notes DEFAULT VALUES RETURNING pg_is_in_recovery() AS standby}
output: "${steps.write.rows[0].standby}"
"""
SETTINGS = """
[connections.db]
kind = "postgresql"
host = "127.0.0.1"
user = "postgres"
database = "postgres"
port = 1
[connections.db.balance]
strategy = "round_robin"
"""
INSTANCE = """
[[connections.db.instances]]
port = {port}
role = "{role}"
"""
# A breaker that looks at few calls leaves out a replica before a step's attempts are used up.
QUICK = """
[policies.breaker]
calls = 4
minimum_calls = 2
open_for = "200ms"
open_at_most = "200ms"
"""


@dataclass(frozen=True)
class Replicated:
    """A primary, and a replica that follows it."""

    primary: PostgresqlServer
    replica: PostgresqlServer


@pytest.fixture(scope="module")
def servers() -> Iterator[Replicated]:
    with start_postgresql() as primary, start_replica(primary) as replica:
        yield Replicated(primary, replica)


@pytest.fixture(autouse=True)
async def table(servers: Replicated) -> None:
    connection = await servers.primary.connect()
    await connection.execute("DROP TABLE IF EXISTS notes; CREATE TABLE notes (id serial)")
    await connection.close()


class Desk:
    """A project whose connection has these instances, and an engine that runs its chains."""

    def __init__(self, folder: Path, more: str, *instances: tuple[PostgresqlServer, str]) -> None:
        text = SETTINGS + "".join(
            INSTANCE.format(port=server.port, role=role) for server, role in instances
        )
        (folder / "drawloom.toml").write_text(text + more)
        self._project = Project.find(folder)
        self._plans = {t: self._project.checked_plan(load(t)) for t in (READ, WRITE)}
        self.engine = self._project.engine(durability="memory")

    async def run(self, text: str) -> Any:
        plan = self._plans[text]
        return await self.engine.run(plan, {}, bindings=self._project.bindings(plan).slots)

    async def reads(self, count: int) -> set[bool]:
        """Whether standbys answered so many reads. None of them may fail."""
        results = [await self.run(READ) for _ in range(count)]
        assert {r.status for r in results} == {"succeeded"}, [r.failure for r in results]
        return {r.output for r in results}


@pytest.fixture
def desk(tmp_path: Path, servers: Replicated) -> Desk:
    return Desk(tmp_path, QUICK, (servers.primary, "primary"), (servers.replica, "replica"))


async def test_reads_go_to_the_replica_and_writes_to_the_primary(
    desk: Desk, servers: Replicated
) -> None:
    async with desk.engine:
        assert await desk.reads(5) == {True}
        for _ in range(3):
            assert (await desk.run(WRITE)).output is False
    connection = await servers.replica.connect()
    count = 0
    while count < 3:  # it follows at its own pace
        count = await connection.fetchval("SELECT count(*) FROM notes")
    await connection.close()


async def test_reads_go_on_at_the_primary_while_the_replica_is_away(
    desk: Desk, servers: Replicated
) -> None:
    async with desk.engine:
        assert await desk.reads(10) == {True}
        servers.replica.stop("immediate")
        try:
            assert await desk.reads(10) == {False}
            assert (await desk.run(WRITE)).output is False
        finally:
            servers.replica.start()
        answered = {False}
        while answered == {False}:  # until its breaker lets a probe through
            answered = await desk.reads(1)
        assert await desk.reads(5) == {True}


async def test_reads_go_on_at_another_replica_with_the_usual_breaker(
    tmp_path: Path, servers: Replicated
) -> None:
    """What fails is tried again at the next."""
    instances = [(servers.primary, "primary"), (servers.replica, "replica")]
    desk = Desk(tmp_path, "", *instances, (servers.primary, "replica"))
    async with desk.engine:
        assert await desk.reads(4) == {True, False}
        servers.replica.stop("fast")
        try:
            assert await desk.reads(10) == {False}
        finally:
            servers.replica.start()


async def test_writes_wait_for_the_primary_and_reads_do_not(
    desk: Desk, servers: Replicated
) -> None:
    async with desk.engine:
        assert (await desk.run(WRITE)).output is False
        servers.primary.stop("fast")
        try:
            failed = await desk.run(WRITE)
            assert failed.status == "failed"  # not unknown: it proves that nothing was written
            failure = failed.steps["write"].failure
            assert (failure.kind, failure.harmless) == (FailureKind.TRANSIENT, True)
            assert await desk.reads(5) == {True}
        finally:
            servers.primary.start()
        written = await desk.run(WRITE)
        while written.status == "failed":  # until its breaker lets a probe through
            assert written.steps["write"].failure.harmless, written.failure
            written = await desk.run(WRITE)
        assert written.output is False


async def test_a_write_to_a_standby_is_told_as_what_it_is(
    tmp_path: Path, servers: Replicated
) -> None:
    """The standby is well, so its breaker stays closed however often that happens."""
    desk = Desk(tmp_path, QUICK, (servers.replica, "primary"))
    async with desk.engine:
        failures = [(await desk.run(WRITE)).steps["write"].failure for _ in range(6)]
        assert {failure.kind for failure in failures} == {FailureKind.DENIED}
        [message] = {failure.message for failure in failures}
        assert "it is a standby" in message
        assert "postgresql.execute writes" not in message
        assert await desk.reads(1) == {True}
