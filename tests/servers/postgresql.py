"""A real PostgreSQL: the one on 127.0.0.1:5432 if it trusts `postgres`, else one started here.

`postgresql_server` is for a whole test run; `postgresql` is a database of a
test's own, as settings of a connection, and is dropped afterwards.
`guarded_postgresql` asks for a password, speaks TLS and has few connections.
`start_postgresql` is for a test that ends its server, `start_replica` for one that
needs a hot standby of it.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
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
from tests.servers.certificates import certificate
from tests.servers.lookup import free_port, listening, missing, program

_INSTALL = "apt-get install postgresql, and pip install asyncpg"


@dataclass(frozen=True, slots=True)
class PostgresqlServer:
    """Where it listens. `ca_file` vouches for its certificate, where it has one."""

    host: str
    port: int
    user: str = "postgres"
    password: str = ""
    ca_file: Path | None = None
    control: Callable[..., None] | None = None
    options: str = ""

    def settings(self, database: str = "postgres") -> dict[str, Any]:
        """What a connection of the connector needs to reach it."""
        return {"host": self.host, "port": self.port, "user": self.user, "database": database}

    def start(self) -> None:
        """Begin it, or begin it again, on its port, and wait until it answers."""
        assert self.control is not None, "this server is not ours to start"
        self.control("start", "-o", self.options)

    def stop(self, mode: str, *options: str) -> None:
        """End it as `pg_ctl stop -m` does: smart, fast or immediate. Only one started here."""
        assert self.control is not None, "this server is not ours to stop"
        self.control("stop", "-m", mode, *options)

    async def connect(self, database: str = "postgres") -> Any:
        """A connection of the driver itself, for what a test does behind the connector's back."""
        import asyncpg

        return await asyncpg.connect(**self.settings(database), password=self.password, ssl=False)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    """A server for the whole run."""
    known = PostgresqlServer("127.0.0.1", 5432)
    if listening(known.host, known.port) and _answers(known):
        yield known
        return
    with start_postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def guarded_postgresql() -> Iterator[PostgresqlServer]:
    """A server with a password, six connections (three of them reserved), and TLS."""
    with start_postgresql(guarded=True) as server:
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
def start_postgresql(*, guarded: bool = False) -> Iterator[PostgresqlServer]:
    """A server of the caller's own, on a free port of the loopback interface."""
    binaries = _binaries()
    if binaries is None or not _has_driver():
        missing("PostgreSQL", _INSTALL)
    with tempfile.TemporaryDirectory(prefix="postgresql-") as name:
        folder = Path(name)
        prepared = _prepare(binaries, folder, guarded=guarded)
        with _running(prepared, folder) as server:
            yield server


@contextmanager
def start_replica(primary: PostgresqlServer) -> Iterator[PostgresqlServer]:
    """A hot standby of *primary*, which follows it by streaming and only reads."""
    binaries = _binaries()
    assert binaries is not None, "there is a primary"
    with tempfile.TemporaryDirectory(prefix="postgresql-") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            _hand_over(folder)
        source = ["-h", primary.host, "-p", str(primary.port), "-U", primary.user]
        copy = ["--write-recovery-conf", "--checkpoint=fast", "--no-sync", "-D", folder / "data"]
        _run(binaries / "pg_basebackup", *source, *copy)
        with _running(_server(binaries, folder), folder) as server:
            yield server


@contextmanager
def _running(server: PostgresqlServer, folder: Path) -> Iterator[PostgresqlServer]:
    server.start()
    try:
        yield server
    finally:
        _stop_for_good(server, folder / "data/postmaster.pid")


def _stop_for_good(server: PostgresqlServer, number: Path) -> None:
    """End it, where it has not ended. One that was told to may do so at this moment."""
    try:
        if number.exists():
            server.stop("immediate")
    except subprocess.CalledProcessError:
        if number.exists():
            raise


def _prepare(binaries: Path, folder: Path, *, guarded: bool) -> PostgresqlServer:
    password = uuid.uuid4().hex if guarded else ""
    (folder / "password").write_text(password)
    ca_file = certificate(folder) if guarded else None
    if os.geteuid() == 0:
        _hand_over(folder)
    auth = ["--auth=scram-sha-256", f"--pwfile={folder}/password"] if guarded else ["--auth=trust"]
    _run(binaries / "initdb", "-D", folder / "data", "-U", "postgres", "--no-sync", *auth)
    return _server(binaries, folder, password, ca_file)


def _server(
    binaries: Path, folder: Path, password: str = "", ca_file: Path | None = None
) -> PostgresqlServer:
    """The server whose data is in *folder*, on a free port."""
    port = free_port()
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
    if password:
        options += " -c max_connections=6 -c superuser_reserved_connections=3"
    if ca_file:
        options += f" -c ssl=on -c ssl_cert_file={folder}/crt -c ssl_key_file={folder}/key"

    def control(*command: str | Path) -> None:
        at = ["-D", folder / "data", "-l", folder / "log", "-w", "-t", "60"]
        _run(binaries / "pg_ctl", *at, *command)

    return PostgresqlServer("127.0.0.1", port, "postgres", password, ca_file, control, options)


def _hand_over(folder: Path) -> None:
    """PostgreSQL refuses to run as root, so it runs as its own user."""
    for path in (folder, *folder.iterdir()):
        shutil.chown(path, "postgres", "postgres")


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
