"""Which sandbox author's code runs in: bubblewrap where it works, else Monty."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Any, Final, NamedTuple

from drawloom.connectors.core import bubblewrap, monty
from drawloom.connectors.core.ended import Ended, output_of
from drawloom.errors import Failure, FailureKind, ToolError

VARIABLE: Final = "DRAWLOOM_SANDBOX"  # of the process that makes one; the engine sets it
_INSTALL_BUBBLEWRAP: Final = "install the package `bubblewrap` (the program bwrap)"
_INSTALL_MONTY: Final = "pip install 'drawloom[monty]'"


class Sandbox(NamedTuple):
    """A sandbox, and why it is this one."""

    name: str
    run: Callable[[str, dict[str, Any]], Ended]
    why: str


@cache  # to try one out takes as long as a call
def chosen(wanted: str) -> Sandbox:
    """The sandbox for `[code] sandbox` = *wanted*. Raises `ToolError` where it cannot be had."""
    named = f"`[code] sandbox` is {wanted}"
    if wanted == "monty":
        if not monty.installed():
            raise _none(f"{named}, and Monty is not installed: {_INSTALL_MONTY}")
        return Sandbox("monty", monty.run, named)
    why = bubblewrap.lacking()
    if not why:
        how = named if wanted == "bubblewrap" else "bubblewrap works here"
        return Sandbox("bubblewrap", bubblewrap.run, how)
    if wanted == "bubblewrap":
        raise _none(f"{named}, and {why}: {_INSTALL_BUBBLEWRAP}")
    if not monty.installed():
        how = f"{_INSTALL_BUBBLEWRAP}, or {_INSTALL_MONTY}"
        raise _none(f"{why}, and Monty is not installed: {how}")
    return Sandbox("monty", monty.run, why)


def here() -> Sandbox:
    """The sandbox that the engine wants in this process. Raises as `chosen` does."""
    return chosen(os.environ.get(VARIABLE, "auto"))


def tried(wanted: str) -> Sandbox:
    """`chosen`, and it has given the right answer. Raises `ToolError` where it does not."""
    sandbox = chosen(wanted)
    try:
        given = output_of(sandbox.run("output = 1", {}))
    except (ToolError, OSError) as exc:
        raise _none(f"{sandbox.name} does not work here: {exc}") from None
    if given != 1:
        raise _none(f"{sandbox.name} gives wrong answers here")
    return sandbox


def _none(why: str) -> ToolError:
    message = f"code steps need a sandbox: {why}"
    return ToolError(Failure(FailureKind.DENIED, message, harmless=True))
