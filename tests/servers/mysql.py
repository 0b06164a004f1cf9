"""A real MariaDB or MySQL: the one on 127.0.0.1:3306 if it lets `root` in, else one started here.

`mysql_server` is for a whole test run; `mysql` is a database of a test's own, as
settings of a connection, and is dropped afterwards. `guarded_mysql` asks for a
password, speaks TLS and has few connections. `start_mysql` is for a test that
ends its server.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import uuid
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.servers.certificates import certificate
from tests.servers.lookup import free_port, listening, missing, program
from tests.servers.starting import scratch, started, wait_until_listening

_INSTALL = "apt-get install mariadb-server, and pip install asyncmy"
_ENDS_WITHIN = 60.0  # seconds


@dataclass(slots=True)
class MysqlServer:
    """Where it listens. `ca_file` vouches for its certificate, where it has one."""

    host: str
    port: int
    user: str = "root"
    password: str = ""
    ca_file: Path | None = None
    command: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None

    def settings(self, database: str = "mysql") -> dict[str, Any]:
        """What a connection of the connector needs to reach it."""
        return {"host": self.host, "port": self.port, "user": self.user, "database": database}

    def start(self) -> None:
        """Start it, and wait until it listens. Only one that is run here."""
        self.process = started(self.command)
        wait_until_listening(self.process, self.host, self.port)

    def stop(self, *, kill: bool = False) -> None:
        """End it: by SIGTERM, or at once by SIGKILL."""
        assert self.process is not None, "this server is not ours to stop"
        (self.process.kill if kill else self.process.terminate)()
        self.process.wait(_ENDS_WITHIN)

    async def run(self, *statements: str, database: str | None = None) -> list[Any]:
        """Run statements behind the connector's back; the rows of the last one."""
        connection = await self.connect(database)
        rows: list[Any] = []
        try:
            for statement in statements:
                await connection.query(statement)
                rows = list(connection._result.rows or ())
        finally:
            await connection.ensure_closed()
        return rows

    async def connect(self, database: str | None = None) -> Any:
        """A connection of the driver itself."""
        import asyncmy

        return await asyncmy.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            database=database,
            autocommit=True,
            charset="utf8mb4",
        )


@pytest.fixture(scope="session")
def mysql_server() -> Iterator[MysqlServer]:
    """A server for the whole run."""
    with reach_mysql() as server:
        yield server


@contextmanager
def reach_mysql() -> Iterator[MysqlServer]:
    """The server that runs here already, else one that is started."""
    known = MysqlServer("127.0.0.1", 3306)
    if listening(known.host, known.port) and _answers(known):
        yield known
        return
    with start_mysql() as server:
        yield server


@pytest.fixture(scope="session")
def guarded_mysql() -> Iterator[MysqlServer]:
    """A server with a password, four connections, and TLS."""
    with start_mysql(guarded=True) as server:
        yield server


@pytest.fixture
async def mysql(mysql_server: MysqlServer) -> AsyncIterator[dict[str, Any]]:
    """An empty database of the test's own, as connection settings."""
    name = f"drawloom_test_{uuid.uuid4().hex}"
    await mysql_server.run(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    yield mysql_server.settings(name)
    await mysql_server.run(f"DROP DATABASE {name}")


def _answers(server: MysqlServer) -> bool:
    """Whether it is MySQL or MariaDB, and lets `root` in without a password."""
    try:
        import asyncmy
    except ImportError:
        return False
    try:
        with ThreadPoolExecutor(1) as thread:  # pytest's loop may be running in this one
            thread.submit(lambda: asyncio.run(server.run("SELECT 1"))).result()
    except (OSError, asyncmy.errors.MySQLError):
        return False
    return True


@contextmanager
def start_mysql(*, guarded: bool = False, options: tuple[str, ...] = ()) -> Iterator[MysqlServer]:
    """A server of the caller's own, on a free port of the loopback interface."""
    daemon, install = program("mariadbd"), program("mariadb-install-db")
    daemon = daemon or program("mariadbd", Path("/usr/sbin"))
    if daemon is None or install is None:
        missing("MariaDB", _INSTALL)
    with scratch("mysql-") as folder:
        server = _prepare(daemon, install, folder, guarded=guarded, options=options)
        server.start()
        try:
            yield server
        finally:
            if server.process is not None and server.process.poll() is None:
                server.stop(kill=True)


def _prepare(
    daemon: Path, install: Path, folder: Path, *, guarded: bool, options: tuple[str, ...]
) -> MysqlServer:
    user = f"--user={os.environ.get('USER') or 'root'}" if os.geteuid() else "--user=root"
    data = folder / "data"
    subprocess.run(
        [install, "--no-defaults", f"--datadir={data}", user, "--skip-test-db",
         "--auth-root-authentication-method=normal", "--innodb-log-file-size=8M"],
        check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, timeout=120,
    )  # fmt: skip
    server = MysqlServer("127.0.0.1", free_port())
    (folder / "init").write_text("")
    if guarded:
        server.password = f"canary-{uuid.uuid4().hex}"
        server.ca_file = certificate(folder)
        (folder / "init").write_text(
            f"ALTER USER root@localhost IDENTIFIED BY '{server.password}';\n"
        )
    server.command = [
        str(daemon), "--no-defaults", f"--datadir={data}", user, f"--port={server.port}",
        "--bind-address=127.0.0.1", f"--socket={folder}/s", f"--pid-file={folder}/pid",
        f"--init-file={folder}/init", f"--log-error={folder}/log", "--innodb-log-file-size=8M",
        "--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0",
        *_guards(folder, server), *options,
    ]  # fmt: skip
    return server


def _guards(folder: Path, server: MysqlServer) -> list[str]:
    guards = ["--max-connections=10"] if server.password else []
    if server.ca_file:
        guards += [f"--ssl-cert={folder}/crt", f"--ssl-key={folder}/key"]
    return guards
