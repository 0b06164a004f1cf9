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
import signal
import subprocess
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.servers.certificates import certificate
from tests.servers.lookup import free_port, listening, missing, program
from tests.servers.starting import scratch, started, wait_until

_INSTALL = "apt-get install postgresql, and pip install asyncpg"
_ENDS_WITHIN = 60.0  # seconds


@dataclass(slots=True)
class PostgresqlServer:
    """Where it listens. `ca_file` vouches for its certificate, where it has one."""

    host: str
    port: int
    user: str = "postgres"
    password: str = ""
    ca_file: Path | None = None
    folder: Path = Path()
    command: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None

    def settings(self, database: str = "postgres") -> dict[str, Any]:
        """What a connection of the connector needs to reach it."""
        return {"host": self.host, "port": self.port, "user": self.user, "database": database}

    def start(self) -> None:
        """Begin it, or begin it again, on its port, and wait until it answers."""
        self.process = started(self.command, log=self.folder / "log", user=_user())
        wait_until(self.process, self._ready)

    def stop(self, mode: str, *options: str) -> None:
        """End it as `pg_ctl stop -m` does: smart, fast or immediate. Only one started here."""
        assert self.process is not None, "this server is not ours to stop"
        control = Path(self.command[0]).with_name("pg_ctl")
        _run(control, "stop", "-D", self.folder / "data", "-t", "60", "-m", mode, *options)
        if "-W" not in options:
            self.process.wait(_ENDS_WITHIN)

    def _ready(self) -> bool:
        """Whether it says that it answers, in the file that `pg_ctl start` looks at, too."""
        try:
            told = (self.folder / "data/postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        ours = self.process is not None and told[:1] == [str(self.process.pid)]
        return ours and len(told) > 7 and told[7].strip() in ("ready", "standby")

    async def connect(self, database: str = "postgres") -> Any:
        """A connection of the driver itself, for what a test does behind the connector's back."""
        import asyncpg

        return await asyncpg.connect(**self.settings(database), password=self.password, ssl=False)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    """A server for the whole run."""
    with reach_postgresql() as server:
        yield server


@contextmanager
def reach_postgresql() -> Iterator[PostgresqlServer]:
    """The server that runs here already, else one that is started."""
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
    with (
        scratch("postgresql-") as folder,
        _running(_prepare(binaries, folder, guarded=guarded)) as server,
    ):
        yield server


@contextmanager
def start_replica(primary: PostgresqlServer) -> Iterator[PostgresqlServer]:
    """A hot standby of *primary*, which follows it by streaming and only reads."""
    binaries = _binaries()
    assert binaries is not None, "there is a primary"
    with scratch("postgresql-") as folder:
        if os.geteuid() == 0:
            _hand_over(folder)
        source = ["-h", primary.host, "-p", str(primary.port), "-U", primary.user]
        copy = ["--write-recovery-conf", "--checkpoint=fast", "--no-sync", "-D", folder / "data"]
        _run(binaries / "pg_basebackup", *source, *copy)
        with _running(_server(binaries, folder)) as server:
            yield server


@contextmanager
def _running(server: PostgresqlServer) -> Iterator[PostgresqlServer]:
    server.start()
    try:
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.process.send_signal(signal.SIGQUIT)  # as `pg_ctl stop -m immediate` does
            server.process.wait(_ENDS_WITHIN)


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
    settings = [f"port={port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={folder}"]
    if password:
        settings += ["max_connections=6", "superuser_reserved_connections=3"]
    if ca_file:
        settings += ["ssl=on", f"ssl_cert_file={folder}/crt", f"ssl_key_file={folder}/key"]
    command = [str(binaries / "postgres"), "-D", str(folder / "data")]
    command += [part for setting in settings for part in ("-c", setting)]
    return PostgresqlServer("127.0.0.1", port, "postgres", password, ca_file, folder, command)


def _user() -> str | None:
    """As whom it runs: it refuses to do so as root."""
    return "postgres" if os.geteuid() == 0 else None


def _hand_over(folder: Path) -> None:
    """Give it the folder, whose user is another where we are root."""
    for path in (folder, *folder.iterdir()):
        shutil.chown(path, "postgres", "postgres")


def _run(*command: str | Path) -> None:
    subprocess.run(
        [str(part) for part in command],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        user=_user(),
        cwd="/",
        timeout=120,
    )
