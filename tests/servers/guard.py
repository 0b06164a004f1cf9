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
    servers: dict[
        int, int
    ] = {}  # the descriptor of a process, which no other can take, and its id
    folders: list[str] = []
    for line in sys.stdin:
        if line.startswith("/"):
            folders.append(line.rstrip("\n"))
            continue
        servers = {opened: pid for opened, pid in servers.items() if not _ended(opened)}
        with suppress(ProcessLookupError):
            servers[os.pidfd_open(int(line))] = int(line)
    for opened, pid in servers.items():
        _kill(opened, pid)
    for opened in servers:
        _ended(opened, _ENDS_WITHIN)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _ended(opened: int, within: int = 0) -> bool:
    """Whether a process is over, or is so *within* some milliseconds; its descriptor is closed then."""
    look = select.poll()
    look.register(opened, select.POLLIN)
    if not look.poll(within):
        return False
    os.close(opened)
    return True


def _kill(opened: int, pid: int) -> None:
    """End a process and its group, which it leads."""
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(opened, signal.SIGSTOP)  # it can neither end nor be another now
        os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
