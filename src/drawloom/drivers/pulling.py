"""Carry out a `Pull`: read a stream on for a run, and say what came."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from drawloom.errors import Failure, FailureKind
from drawloom.kernel import CallFailed
from drawloom.kernel.messages import Pull, Pulled
from drawloom.runtime.calling import Hands, failure_of
from drawloom.sdk import Context


async def pulled(
    hands: Hands, run_id: str, connection: str | None, command: Pull, now: Callable[[], int]
) -> Pulled | CallFailed:
    """The answer to *command*. Cancelling it closes the stream."""
    tool: Any = command.step.spec
    reader = (run_id, command.call.partition("#")[0].partition("<")[0])
    context = Context(
        run_id, command.step.name, command.call, after=command.after, batch=command.most
    )
    try:
        async with asyncio.timeout(command.step.timeout):
            chunk = await hands.streams.pull(reader, tool, connection, command.args, context)
        if command.call.partition("#")[0].endswith("<"):  # read once more for one item alone
            await hands.streams.close(*reader)
    except TimeoutError:
        message = f"{command.step.tool} gave nothing within {command.step.timeout:g} s"
        return CallFailed(command.call, Failure(FailureKind.TIMEOUT, message), now())
    except Exception as exc:  # noqa: BLE001  # whatever a tool does
        return CallFailed(command.call, failure_of(tool, exc), now())
    if chunk is None:
        return Pulled(command.call, now(), 0, command.after, True, [])
    return Pulled(command.call, now(), len(chunk.items), chunk.after, False, chunk.items)
