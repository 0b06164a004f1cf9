"""Secrets from a person, a pipe or a file; never from the command line, which others can see."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Final

from drawloom.errors import ValueInvalid

_LARGEST: Final = 64 * 1024  # bytes


def secret_value(prompt: str, stdin: bool, file: Path | None) -> str:
    """The value, without the line's end behind it. Raises `ValueInvalid`."""
    if stdin and file is not None:
        raise ValueInvalid("--stdin and --file: give one of them")
    if stdin:
        return _text(sys.stdin.buffer.read(_LARGEST + 1), "stdin")
    if file is not None:
        from drawloom.project.project import read_bytes

        return _text(read_bytes(file, _LARGEST), str(file))
    if not sys.stdin.isatty():
        raise ValueInvalid("there is no terminal to ask on; give --stdin or --file PATH")
    try:
        return getpass.getpass(prompt)
    except EOFError:
        raise ValueInvalid("nothing was typed; give a value, or --stdin or --file PATH") from None


def _text(content: bytes, source: str) -> str:
    if len(content) > _LARGEST:
        raise ValueInvalid(f"{source} has more than {_LARGEST} bytes")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise ValueInvalid(f"{source} is not UTF-8; encode a binary secret as base64") from None
    return text.removesuffix("\n").removesuffix("\r")


def on_a_terminal() -> bool:
    """Whether somebody is there to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(prompt: str) -> str:
    """One line from the terminal, which is shown as it is typed."""
    sys.stderr.write(prompt)
    sys.stderr.flush()
    return sys.stdin.readline().rstrip("\n")
