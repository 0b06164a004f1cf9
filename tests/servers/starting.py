"""How every server is started: in a session of its own, and never to outlive this process.

A fixture's end stops its server. Where there is no such end (SIGTERM, SIGKILL), the guard
does it, a process that waits for the end of this one; see `guard.py`.
"""

from __future__ import annotations

import atexit
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import BinaryIO

from tests.servers.lookup import listening

BEGINS_WITHIN = 60.0  # seconds for a server to come up

# The process tells the guard its id, and only then becomes the server: none is ever unknown.
# Without a guard, it does not.
_ANNOUNCED = 'echo "$$" >&0 && exec "$@" </dev/null'


def started(
    command: Sequence[str | Path],
    *,
    log: Path | None = None,
    user: str | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """The process of *command*, which is killed when this process ends. It reads nothing.

    What it says is added to *log*, if there is one.
    """
    with (log or Path("/dev/null")).open("ab") as output:
        return subprocess.Popen(
            ["sh", "-c", _ANNOUNCED, "sh", *map(str, command)],
            stdin=_guard(),
            stdout=output,
            stderr=output,
            cwd="/",
            user=user,
            env=env,
            # In a group of its own: an interrupt of the tests is not one of the server.
            start_new_session=True,
        )


@contextmanager
def scratch(prefix: str) -> Iterator[Path]:
    """A folder for a server's data. It is removed even where this process is killed."""
    with tempfile.TemporaryDirectory(prefix=prefix) as name:
        _guard().write(f"{name}\n".encode())
        yield Path(name)


def wait_until_listening(process: subprocess.Popen[bytes], host: str, port: int) -> None:
    """Return once something accepts connections there."""
    wait_until(process, lambda: listening(host, port))


def wait_until(process: subprocess.Popen[bytes], ready: Callable[[], bool]) -> None:
    """Return once a server that was just started is *ready*."""
    end = time.monotonic() + BEGINS_WITHIN
    while not ready():
        assert process.poll() is None, f"the server ended by itself: {process.args!r}"
        assert time.monotonic() < end, f"the server did not come up: {process.args!r}"
        time.sleep(0.02)  # between looks


@cache
def _guard() -> BinaryIO:
    """The way to the guard of this process, which is started at the first use."""
    guard = subprocess.Popen(
        [sys.executable, "-I", "-S", Path(__file__).with_name("guard.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        bufsize=0,
        cwd="/",
        start_new_session=True,
    )
    pipe = guard.stdin
    assert pipe is not None

    def leave() -> None:
        pipe.close()
        guard.wait()

    atexit.register(leave)
    return pipe  # type: ignore[return-value]  # unbuffered: a line is one write
