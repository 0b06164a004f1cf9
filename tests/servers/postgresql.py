"""A real PostgreSQL: the one on 127.0.0.1:5432 if it trusts `postgres`, else one started here.

`postgresql_server` is for a whole test run; `postgresql` is a database of a
test's own, as settings of a connection, and is dropped afterwards.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.servers.lookup import free_port, listening, missing, program

_INSTALL = "apt-get install postgresql, and pip install asyncpg"


@dataclass(frozen=True, slots=True)
class PostgresqlServer:
    """Where it listens. Its superuser needs no password."""

    host: str
    port: int
    user: str = "postgres"

    def settings(self, database: str = "postgres") -> dict[str, Any]:
        """What a connection of the connector needs to reach it."""
        return {"host": self.host, "port": self.port, "user": self.user, "database": database}

    async def connect(self, database: str = "postgres") -> Any:
        """A connection of the driver itself, for what a test does behind the connector's back."""
        import asyncpg

        return await asyncpg.connect(**self.settings(database), password="", ssl=False)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    """A server for the whole run."""
    known = PostgresqlServer("127.0.0.1", 5432)
    if listening(known.host, known.port) and _answers(known):
        yield known
        return
    binaries = _binaries()
    if binaries is None or not _has_driver():
        missing("PostgreSQL", _INSTALL)
    with _started(binaries) as server:
        yield server


@pytest.fixture
async def postgresql(postgresql_server: PostgresqlServer) -> AsyncIterator[dict[str, Any]]:
    """An empty database of the test's own, as connection settings."""
    name = f"drawloom_test_{uuid.uuid4().hex}"
    await _command(postgresql_server, f"CREATE DATABASE {name} TEMPLATE template0")
    yield postgresql_server.settings(name)
    await _command(postgresql_server, f"DROP DATABASE {name} WITH (FORCE)")


async def _command(server: PostgresqlServer, sql: str) -> None:
    connection = await server.connect()
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


def _has_driver() -> bool:
    try:
        import asyncpg  # noqa: F401
    except ImportError:
        return False
    return True


def _answers(server: PostgresqlServer) -> bool:
    """Whether it is PostgreSQL and lets `postgres` in without a password."""
    if not _has_driver():
        return False
    import asyncpg

    try:
        _in_thread(lambda: _command(server, "SELECT 1"))
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    return True


def _in_thread(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run *work* on a loop of its own: pytest's may be running in this thread."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(work())).result()


def _binaries() -> Path | None:
    """The folder of the newest installed server."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version)
    found = program("initdb", *folders)
    return found.resolve().parent if found else None


def _version(folder: Path) -> float:
    found = re.match(r"\d+(\.\d+)?", folder.parent.name)
    return float(found.group()) if found else 0.0


@contextmanager
def _started(binaries: Path) -> Iterator[PostgresqlServer]:
    with tempfile.TemporaryDirectory(prefix="postgresql-") as folder:
        data, log = Path(folder, "data"), Path(folder, "log")
        port = free_port()
        if os.geteuid() == 0:
            _hand_over(Path(folder))
        _run(binaries / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
        # Without its own standard streams the server would keep those of the tests open.
        _run(binaries / "pg_ctl", "-D", data, "-w", "-t", "60", "-l", log, "-o", options, "start")
        try:
            yield PostgresqlServer("127.0.0.1", port)
        finally:
            _run(binaries / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")


def _hand_over(folder: Path) -> None:
    """PostgreSQL refuses to run as root, so it runs as its own user."""
    import shutil

    shutil.chown(folder, "postgres", "postgres")


def _run(*command: str | Path) -> None:
    user = "postgres" if os.geteuid() == 0 else None
    subprocess.run(
        [str(part) for part in command],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        user=user,
        cwd="/",
        timeout=120,
    )
