"""Tools that run author's code are there, and refuse to, unless code steps are on."""

from __future__ import annotations

from functools import wraps
from typing import Any

from drawloom.errors import Failure, FailureKind, ToolError
from drawloom.sdk import Tool

OFF = "code steps are off here; `[code] enabled = true` in drawloom.toml turns them on"


def barred(tool: Tool) -> Tool:
    """The tool with the same schemas, which is denied when it is called."""

    @wraps(tool.function)
    def refuse(**_: Any) -> Any:
        raise ToolError(Failure(FailureKind.DENIED, f"{tool.name}: {OFF}", harmless=True))

    made = Tool(tool.name, refuse, effect=tool.effect, connection=None, inline=True)
    made.barred = OFF
    return made


def told_to_sandboxes(sandbox: str) -> dict[str, str]:
    """The environment of a process that makes sandboxes: which ones it makes."""
    from drawloom.connectors.core.sandbox import VARIABLE  # by now it has been imported

    return {VARIABLE: sandbox}
