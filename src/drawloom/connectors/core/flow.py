"""Tools on the run itself: fail it, slow it down, write a line to its log."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from drawloom.connectors.core.connection import connector
from drawloom.errors import Failure, FailureKind, ToolError
from drawloom.sdk import Context, Json

_LONGEST_SLEEP = 3_600.0

Kind = Literal["invalid", "denied", "missing", "conflict", "throttled", "transient", "timeout"]


class Slept(TypedDict):
    """How long the step slept, in seconds."""

    seconds: float


class Logged(TypedDict):
    """The line that was written."""

    message: str
    level: str


@connector.tool(effect="pure", inline=True)
def fail(
    message: Annotated[str, Field(min_length=1)],
    kind: Kind = "invalid",
    retry_after: Annotated[float, Field(ge=0)] | None = None,
    details: dict[str, Json] | None = None,
) -> None:
    """Fail the step, with a message and a kind of your own.

    The kind decides what a `retry` does: throttled, transient and timeout may be
    tried again (`retry_after` seconds later at the earliest), the others not.
    """
    raise ToolError(Failure(FailureKind(kind), message, retry_after, details))


# Its own time and a little more: the default deadline of a step is shorter.
@connector.tool(effect="pure", timeout=_LONGEST_SLEEP + 60)
async def sleep(seconds: Annotated[float, Field(ge=0, le=_LONGEST_SLEEP)]) -> Slept:
    """Wait for some seconds, an hour at most.

    The wait belongs to the process: after a crash it begins again.
    """
    await asyncio.sleep(seconds)
    return {"seconds": seconds}


# `read` and not `pure`: a cached answer would write no line.
@connector.tool(effect="read", inline=True)
def log(
    context: Context,
    message: str,
    data: Json = None,
    level: Literal["debug", "info", "warning", "error"] = "info",
) -> Logged:
    """Write a line to the run's log, with data beside it."""
    beside = {} if data is None else {"data": data}
    context.say(message, level=level, **beside)
    return {"message": message, "level": level}
