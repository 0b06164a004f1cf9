"""A pseudo-terminal with the installed command on it, and somebody who types."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAM = Path(sys.executable).with_name("drawloom")
_WITHIN = 60  # seconds for the command to say something

# Makes the terminal that of the process, as a login does: getpass asks that one.
_TAKE = """\
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


class Terminal:
    """What is on the screen, and a keyboard."""

    def __init__(self, keyboard: int, process: subprocess.Popen[bytes]) -> None:
        self._keyboard = keyboard
        self._process = process
        self.screen = ""

    def shows(self, text: str) -> None:
        """Wait until *text* is on the screen."""
        while text not in self.screen:
            assert self._more(), f"it ended without {text!r}: {self.screen}"

    def type(self, text: str) -> None:
        os.write(self._keyboard, text.encode())

    def answers(self, question: str, text: str) -> None:
        """Type a line once *question* is the last thing on the screen."""
        self.shows(question)
        self.type(f"{text}\n")

    def ended(self) -> int:
        """Read all there is to come; the exit code."""
        while self._more():
            pass
        return self._process.wait(_WITHIN)

    def echoes(self) -> bool:
        """Whether what is typed is shown."""
        return bool(termios.tcgetattr(self._keyboard)[3] & termios.ECHO)

    def _more(self) -> bool:
        ready, _, _ = select.select([self._keyboard], [], [], _WITHIN)
        assert ready, f"it says nothing more: {self.screen}"
        try:
            found = os.read(self._keyboard, 65_536)
        except OSError:  # nobody has the terminal any more
            return False
        self.screen += found.decode()
        return bool(found)


@contextmanager
def terminal(folder: Path, *words: str) -> Iterator[Terminal]:
    """Begin a command on a terminal of its own."""
    keyboard, screen = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _TAKE, PROGRAM, *words],
        cwd=folder,
        env={**os.environ, "COLUMNS": "200"},
        stdin=screen,
        stdout=screen,
        stderr=screen,
        start_new_session=True,
    )
    os.close(screen)
    try:
        yield Terminal(keyboard, process)
    finally:
        process.kill()
        process.wait()
        os.close(keyboard)
