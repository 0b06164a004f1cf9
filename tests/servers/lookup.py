"""What the servers of this folder share: ports, programs, and saying what is missing."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path
from typing import NoReturn

import pytest


def listening(host: str, port: int) -> bool:
    """Whether something accepts connections there."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def free_port() -> int:
    """A port of the loopback interface that nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def program(name: str, *folders: Path) -> Path | None:
    """Where a program is: in the last of *folders* that has it (the newest), else on PATH."""
    for folder in reversed(folders):
        if (folder / name).exists():
            return folder / name
    found = shutil.which(name)
    return Path(found) if found else None


def missing(server: str, install: str) -> NoReturn:
    """Skip loudly, or fail where the whole of the tests is promised."""
    message = f"NO {server.upper()}: what needs it did not run. Install it: {install}"
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(message, pytrace=False)
    pytest.skip(message)
