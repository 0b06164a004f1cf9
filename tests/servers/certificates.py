"""Certificates for servers that speak TLS."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.servers.lookup import program


def certificate(folder: Path) -> Path | None:
    """A self-signed one for this machine; none where there is no openssl."""
    openssl = program("openssl")
    if openssl is None:
        return None
    subprocess.run(
        [openssl, *_REQUEST.split(), "-keyout", folder / "key", "-out", folder / "crt"],
        check=True,
        capture_output=True,
        timeout=60,
    )
    (folder / "key").chmod(0o600)
    return folder / "crt"


_REQUEST = (
    "req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost"
    " -addext subjectAltName=DNS:localhost"
)
