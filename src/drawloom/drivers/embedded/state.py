"""The state directory: who owns it, and what is in it."""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from drawloom.errors import StateUnusable

STORE = "state.db"
LOCK = "owner"
INBOX = "inbox"
_LOOKS = 40


class Ownership:
    """Holds a state directory for this process. A second one is refused, naming the owner.

    The lock is the kernel's (flock), so it ends with the process, however that
    ends; the file's text only tells people who holds it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file: int | None = None

    def __enter__(self) -> Self:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            opened = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise StateUnusable(f"cannot use {self.folder}: {exc.strerror}") from None
        if not _locked(opened):
            os.close(opened)
            raise StateUnusable(_owned(self.folder)) from None
        self._file = opened
        me = {"pid": os.getpid(), "command": Path(sys.argv[0]).name, "since": int(time.time())}
        os.ftruncate(opened, 0)
        os.pwrite(opened, json.dumps(me).encode(), 0)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = None


def _locked(opened: int) -> bool:
    """Take the lock. Who only looks for the owner holds it for a moment: that is waited out."""
    for _ in range(_LOOKS):
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if os.fstat(opened).st_size > 0:  # an owner says who it is
                return False
            time.sleep(0.005)
    return False


def owner_of(folder: Path) -> dict[str, Any] | None:
    """`{pid, command, since}` of the process that owns *folder* now, or None."""
    try:
        opened = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(opened, 4096, 0)
        return dict(json.loads(text)) if text else {"pid": None, "command": "?", "since": None}
    finally:
        os.close(opened)
    return None


def _owned(folder: Path) -> str:
    owner = owner_of(folder) or {}
    since = owner.get("since")
    when = f" since {time.strftime('%H:%M:%S', time.localtime(since))}" if since else ""
    return (
        f"{folder} is in use by {owner.get('command', 'another process')} "
        f"(process {owner.get('pid', '?')}){when}; wait for it, or use another folder with --state"
    )
