"""A process that runs one chain, and kills itself at one write of the journal.

    python -m tests.drivers.crash_child FOLDER [before:3 | after:3 | effect:3 | blob:3]

The kill is planted round `Journal._write` (or right after an effect, before its tool
can answer, or between a blob's file and its row), so the product knows nothing of it.
Effects, and the acknowledgement of the start, go to files that are synced.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from drawloom.chains import compile_chain, load
from drawloom.drivers.embedded import Engine
from drawloom.drivers.embedded.blobs import Blobs
from drawloom.drivers.embedded.journal import Journal
from drawloom.errors import Failure, FailureKind, ToolError
from drawloom.runtime import Catalogue
from drawloom.sdk import Context, Json, tool

FOLDER = Path(sys.argv[1])

CHAIN = """
chain: crashing
steps:
  look: {use: my.look, with: {n: 1}}
  put: {use: my.put, with: {n: "${steps.look.n}"}, retry: {delay: 0.01, jitter: 0}}
  each: {use: my.key, for_each: [1, 2, 3], concurrency: 2, with: {n: "${item}"}, after: [look]}
  pay: {use: my.pay, with: {n: "${$length(steps.look.note) = 40 ? steps.put : 0}"}}
  last: {use: my.key, with: {n: "${$sum(steps.each) + steps.pay}"}}
output: {sum: "${steps.last}"}
"""


KILL_AT_EFFECT = 0
effects = 0


def append(file: str, line: str) -> None:
    opened = os.open(FOLDER / file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(opened, f"{line}\n".encode())
    os.fsync(opened)
    os.close(opened)


def effect(line: str) -> None:
    """Something happens in the world."""
    global effects
    append("effects", line)
    effects += 1
    if effects == KILL_AT_EFFECT:
        os.kill(os.getpid(), signal.SIGKILL)


@tool(effect="read")
async def look(n: int) -> dict[str, Json]:
    """Look at what is large here."""
    return {"n": n, "note": "x" * 40}


@tool(effect="idempotent")
async def put(n: int, context: Context) -> int:
    """Put it there; the first attempt is refused."""
    if context.attempt == 1:
        raise ToolError(Failure(FailureKind.THROTTLED, "not yet"))
    effect(f"put {context.key}")
    return n


@tool(effect="keyed")
async def key(n: int, context: Context) -> int:
    """Put it there under a key."""
    effect(f"key {context.key}")
    return n


@tool(effect="once")
async def pay(n: int, context: Context) -> int:
    """Pay: never twice."""
    effect(f"pay {context.key}")
    return n


def plant(where: str, at: int) -> None:
    """Kill this process before or after the commit with the number *at*, counted from 1."""
    write, count = Journal._write, 0

    def killing(self: Journal, batch: Any) -> None:
        nonlocal count
        count += 1
        if count == at and where == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        write(self, batch)
        if count == at and where == "after":
            os.kill(os.getpid(), signal.SIGKILL)

    Journal._write = killing  # type: ignore[method-assign]


def plant_at_blob(at: int) -> None:
    """Kill this process when the blobs of the batch with the number *at* are on the disk."""
    write, count = Blobs.write, 0

    def killing(self: Blobs, blobs: Any) -> None:
        nonlocal count
        count += 1
        write(self, blobs)
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)

    Blobs.write = killing  # type: ignore[method-assign]


async def main() -> dict[str, Any]:
    catalogue = Catalogue([look, put, key, pay])
    async with Engine(catalogue, state=FOLDER / "state", blob_threshold=16) as engine:
        if engine.recovered:
            [run] = engine.recovered
        elif (FOLDER / "acknowledged").exists():  # it had ended before the last crash
            return {"recovered": False}
        else:
            run = await engine.start(compile_chain(load(CHAIN), catalogue.find))
            append("acknowledged", run)
        result = await engine.wait(run)
        steps = {name: step.status for name, step in result.steps.items()}
        return {"status": result.status, "output": result.output, "steps": steps}


if __name__ == "__main__":
    if len(sys.argv) > 2:
        where, _, at = sys.argv[2].partition(":")
        if where == "effect":
            KILL_AT_EFFECT = int(at)
        elif where == "blob":
            plant_at_blob(int(at))
        else:
            plant(where, int(at))
    print(json.dumps(asyncio.run(main())))
