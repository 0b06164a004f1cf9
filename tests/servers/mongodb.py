"""A real MongoDB server: the one on 127.0.0.1:27017 if it lets us in, else one started here.

What is started is `mongod` from the PATH, else SecantusDB (a server of the same
protocol, on WiredTiger), which is installed once into an environment of its own
under `.cache/servers`. `mongodb_server` is for a whole test run; `mongodb` is a
database of a test's own, as settings of a connection, and is dropped afterwards.
`guarded_mongodb` asks for a password and speaks TLS. `start_mongodb` is for a test
that ends its server, or arms its fail points.
"""

from __future__ import annotations

import fcntl
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.servers.certificates import certificate
from tests.servers.lookup import free_port, listening, missing, program
from tests.servers.starting import scratch, started, wait_until_listening

ROOT = Path(__file__).parents[2]
_HOME = ROOT / ".cache/servers/secantusdb"
_LOCKED = ROOT / "requirements/servers.txt"
_INSTALL = "pip install pymongo, and a mongod on the PATH (or uv, and a package index)"
_ENDS_WITHIN = 60.0  # seconds


@dataclass(slots=True)
class MongodbServer:
    """Where it listens. `ca_file` vouches for its certificate, where it has one."""

    host: str
    port: int
    user: str | None = None
    password: str = ""
    ca_file: Path | None = None
    command: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None

    def settings(self, database: str = "admin") -> dict[str, Any]:
        """What a connection of the connector needs to reach it."""
        found = {"host": self.host, "port": self.port, "database": database}
        return found if self.user is None else {**found, "user": self.user}

    def connect(self) -> Any:
        """A client of the driver itself, for what a test does behind the connector's back."""
        import pymongo

        given: dict[str, Any] = {"directConnection": True, "serverSelectionTimeoutMS": 5_000}
        if self.user is not None:
            given |= {"username": self.user, "password": self.password}
        if self.ca_file is not None:
            given |= {
                "tls": True,
                "tlsCAFile": str(self.ca_file),
                "tlsAllowInvalidHostnames": True,
            }
        return pymongo.MongoClient(self.host, self.port, **given)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it. Only one started here."""
        assert self.process is not None, "this server is not ours to stop"
        self.process.send_signal(how)
        self.process.wait(_ENDS_WITHIN)

    def start(self) -> None:
        """Start it, or start it again on what it has stored; it answers afterwards."""
        self.process = started(self.command, log=Path(self.command[-1]) / "log")
        wait_until_listening(self.process, self.host, self.port)


@pytest.fixture(scope="session")
def mongodb_server() -> Iterator[MongodbServer]:
    """A server for the whole run."""
    with reach_mongodb() as server:
        yield server


@contextmanager
def reach_mongodb() -> Iterator[MongodbServer]:
    """The server that runs here already, else one that is started."""
    known = MongodbServer("127.0.0.1", 27017)
    if listening(known.host, known.port) and _answers(known):
        yield known
        return
    with start_mongodb() as server:
        yield server


@pytest.fixture(scope="session")
def guarded_mongodb() -> Iterator[MongodbServer]:
    """A server with a password, and TLS where there is an openssl."""
    with start_mongodb(guarded=True) as server:
        yield server


@pytest.fixture
async def mongodb(mongodb_server: MongodbServer) -> AsyncIterator[dict[str, Any]]:
    """A database of the test's own, as connection settings."""
    name = f"drawloom_test_{uuid.uuid4().hex[:16]}"
    yield mongodb_server.settings(name)
    with mongodb_server.connect() as client:
        client.drop_database(name)


@contextmanager
def start_mongodb(*, guarded: bool = False, fail_points: bool = False) -> Iterator[MongodbServer]:
    """A server of the caller's own, on a free port of the loopback interface."""
    if not _has_driver():
        missing("MongoDB", _INSTALL)
    with scratch("mongodb-") as folder:
        server = _prepare(folder, fail_points)
        server.start()
        try:
            yield _guard(server, folder) if guarded else server
        finally:
            if server.process is not None and server.process.poll() is None:
                server.stop(signal.SIGKILL)


def _prepare(folder: Path, fail_points: bool) -> MongodbServer:
    port = free_port()
    mongod = program("mongod")
    if mongod is not None:
        command = [str(mongod), "--bind_ip", "127.0.0.1", "--port", str(port)]
        command += ["--setParameter", "enableTestCommands=1"] if fail_points else []
        return MongodbServer("127.0.0.1", port, command=[*command, "--dbpath", str(folder)])
    command = [str(_secantusd()), "--host", "127.0.0.1", "--port", str(port), "--sync-on-commit"]
    command += ["--enable-test-commands"] if fail_points else []
    return MongodbServer("127.0.0.1", port, command=[*command, "--storage-path", str(folder)])


def _guard(server: MongodbServer, folder: Path) -> MongodbServer:
    """Give it a user, and start it again with what asks for one."""
    user, password = "weaver", uuid.uuid4().hex
    with server.connect() as client:
        client.admin.command("createUser", user, pwd=password, roles=["root"])
    server.stop()
    ca_file = _certificate(folder)
    extra = ["--auth"]
    if ca_file is not None and "secantus" in server.command[0]:
        extra += ["--tls-cert-file", f"{folder}/crt", "--tls-key-file", f"{folder}/key"]
    elif ca_file is not None:
        extra += ["--tlsMode", "requireTLS", "--tlsCertificateKeyFile", f"{folder}/pem"]
    server.command[1:1] = extra
    server.user, server.password, server.ca_file = user, password, ca_file
    server.start()
    return server


def _certificate(folder: Path) -> Path | None:
    """A self-signed one for this machine, with its key in one file, as mongod wants it."""
    trusted = certificate(folder)
    if trusted is not None:
        (folder / "pem").touch(0o600)
        (folder / "pem").write_bytes((folder / "key").read_bytes() + trusted.read_bytes())
    return trusted


def _has_driver() -> bool:
    try:
        import pymongo  # noqa: F401
    except ImportError:
        return False
    return True


def _answers(server: MongodbServer) -> bool:
    """Whether it speaks the protocol and lets us make a database without a password."""
    if not _has_driver():
        return False
    import pymongo.errors

    try:
        with server.connect() as client:
            client.list_database_names()
    except pymongo.errors.PyMongoError:
        return False
    return True


def _secantusd() -> Path:
    """The server's program, installed from locked requirements where it is not there yet."""
    found, stamp = _HOME / "bin/secantusd-py", _HOME / "installed"
    _HOME.parent.mkdir(parents=True, exist_ok=True)
    with (_HOME.parent / "secantusdb.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the tests' processes begin together
        if not stamp.exists() or stamp.read_bytes() != _LOCKED.read_bytes():
            _install(stamp)
    return found


def _install(stamp: Path) -> None:
    uv = program("uv", Path(sys.executable).parent)
    if uv is None:
        missing("MongoDB", _INSTALL)
    shutil.rmtree(_HOME, ignore_errors=True)
    python = _HOME / "bin/python"
    needs = ["pip", "install", "--python", python, "--require-hashes", "-r", _LOCKED]
    for command in (["venv", "--python", sys.executable, _HOME], needs):
        done = subprocess.run(
            [uv, "--quiet", *command], capture_output=True, text=True, timeout=600, check=False
        )
        if done.returncode:
            missing("MongoDB", f"{_INSTALL}; uv said: {done.stderr.strip()}")
    stamp.write_bytes(_LOCKED.read_bytes())
