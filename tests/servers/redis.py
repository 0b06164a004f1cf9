"""A real Redis: the one on 127.0.0.1:6379 if it asks no password, else one started here.

`redis_server` is for a whole test run; `redis_prefix` begins the keys of one test, which are
deleted afterwards. `start_redis` is for a test that needs a server with options of its own
(a password, few clients, TLS), or ends it.
"""

from __future__ import annotations

import asyncio
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.servers.certificates import certificate
from tests.servers.lookup import free_port, listening, missing, program
from tests.servers.starting import scratch, started, wait_until_listening

_INSTALL = "apt-get install redis-server (or valkey-server), and pip install redis"


@dataclass(slots=True)
class RedisServer:
    """Where it listens, and the process, where it was started here."""

    host: str = "127.0.0.1"
    port: int = 6379
    password: str = ""
    ca_file: Path | None = None
    command: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None

    def settings(self) -> dict[str, Any]:
        """What a connection of the connector needs to reach it, but for the password."""
        return {"host": self.host, "port": self.port}

    def ask(self, *words: str | bytes | int) -> Any:
        """The reply to one command, behind the connector's back."""
        import redis

        with redis.Redis(self.host, self.port, password=self.password or None) as client:
            return client.execute_command(*words)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.process = started(self.command)
        wait_until_listening(self.process, self.host, self.port)

    def stop(self) -> None:
        """End it at once, as a machine that fails would. Only one started here."""
        assert self.process is not None, "this server is not ours to stop"
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A server for the whole run."""
    with reach_redis() as server:
        yield server


@contextmanager
def reach_redis() -> Iterator[RedisServer]:
    """The server that runs here already, else one that is started."""
    known = RedisServer()
    if listening(known.host, known.port) and _answers(known):
        yield known
        return
    with start_redis() as server:
        yield server


@pytest.fixture
def redis_prefix(redis_server: RedisServer) -> Iterator[str]:
    """What the keys of a test begin with, those that a `keyed` tool notes included."""
    import redis

    prefix = f"drawloom-test:{uuid.uuid4().hex}:"
    yield prefix
    with redis.Redis(redis_server.host, redis_server.port) as client:
        found = list(client.scan_iter(match=f"*{prefix}*", count=10_000))
        for start in range(0, len(found), 10_000):
            client.unlink(*found[start : start + 10_000])


@contextmanager
def start_redis(*options: str, password: str = "", tls: bool = False) -> Iterator[RedisServer]:
    """A server of the caller's own, on a free port of the loopback interface."""
    binary = program("redis-server") or program("valkey-server")
    if binary is None or not _has_driver():
        missing("Redis", _INSTALL)
    with scratch("redis-") as folder:
        server = RedisServer(port=free_port(), password=password)
        port = ["--port", str(server.port)]
        if tls:
            server.ca_file = folder / "crt"
            port = _tls(folder, server.port)
        server.command = [
            str(binary),
            "--bind",
            server.host,
            "--dir",
            str(folder),
            "--save",
            "",
            *port,
        ]
        server.command += ["--requirepass", password] if password else []
        server.command += options
        server.start()
        try:
            yield server
        finally:
            server.stop()


async def until(holds: Callable[[], bool]) -> None:
    """Look until something holds that is about to happen at a server."""
    async with asyncio.timeout(60):
        while not await asyncio.to_thread(holds):
            pass


def waits(server: RedisServer, client: Any) -> bool:
    """Whether a connection of the connector's open *client* waits for something to come."""
    return any("b" in one["flags"] for one in clients(server, client))


def clients(server: RedisServer, client: Any) -> list[dict[str, str]]:
    """What the server says of the connections of the connector's open *client*."""
    listed = server.ask("CLIENT LIST")
    return [one for one in listed if one["name"] == client.settings.client_name]


def _has_driver() -> bool:
    try:
        import redis  # noqa: F401
    except ImportError:
        return False
    return True


def _answers(server: RedisServer) -> bool:
    """Whether it is Redis and asks no password."""
    if not _has_driver():
        return False
    import redis

    try:
        return bool(server.ask("PING"))
    except (redis.RedisError, OSError):
        return False


def _tls(folder: Path, port: int) -> list[str]:
    trusted = certificate(folder)
    if trusted is None:
        missing("openssl", "apt-get install openssl")
    return [
        *("--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no"),
        *("--tls-cert-file", str(trusted), "--tls-key-file", str(folder / "key")),
    ]
