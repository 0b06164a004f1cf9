"""Ends the servers of a process that is no more, however it ended: run as a program, not imported.

Its standard input is a pipe whose other end only the guarded process holds. A line is
the id of a server's process, told by itself before it becomes the server, or `/` and the
rest of a folder's path. When the pipe ends, so do the servers, and the folders are removed.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
from contextlib import suppress

_ENDS_WITHIN = 20_000  # milliseconds for a killed process to be gone


def main() -> None:
    """Wait for the end of the pipe, and clean up."""
    servers: dict[int, int | None] = {}  # a process's id, and its descriptor
    folders: list[str] = []
    for line in sys.stdin:
        if line.startswith("/"):
            folders.append(line.rstrip("\n"))
            continue
        servers = {pid: opened for pid, opened in servers.items() if not _ended(opened)}
        with suppress(ProcessLookupError):
            servers[int(line)] = _opened(int(line))
    for pid, opened in servers.items():
        _kill(pid, opened)
    for opened in servers.values():
        _ended(opened, _ENDS_WITHIN)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _opened(pid: int) -> int | None:
    """A descriptor of the process, which no later one of that id can take; None without Linux 5.3."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        raise
    except (AttributeError, OSError):
        return None


def _ended(opened: int | None, within: int = 0) -> bool:
    """Whether a process is known to be over, or is so *within* some milliseconds; closes it then."""
    if opened is None:
        return False
    look = select.poll()
    look.register(opened, select.POLLIN)
    if not look.poll(within):
        return False
    os.close(opened)
    return True


def _kill(pid: int, opened: int | None) -> None:
    """End a process and its group, which it leads."""
    with suppress(ProcessLookupError, PermissionError):
        if opened is not None:  # stopped, it can neither end nor be another
            signal.pidfd_send_signal(opened, signal.SIGSTOP)
        os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
