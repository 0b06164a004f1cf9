"""Evaluate large expressions in a process of their own, with a memory limit and a deadline.

The engine's process only evaluates what fits its loop (`expressions.INLINE`).
Anything larger comes here: an expression that never ends, or that needs a
gigabyte, dies alone, while other runs go on.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import struct
import sys
from collections.abc import Mapping
from typing import Any, Literal

from drawloom.dataflow.expressions import FULL
from drawloom.dataflow.references import Condition, Evaluation, Template, listing
from drawloom.dataflow.values import read_json, write_json
from drawloom.errors import ExpressionInvalid, Failure, FailureKind, ToolError, ValueInvalid

MEMORY = 1 << 30  # bytes of address space
DEADLINE = 10.0  # seconds, start of the process included
LARGEST_ANSWER = 256 << 20  # bytes
_LENGTH = struct.Struct(">Q")

Kind = Literal["condition", "template", "list"]


class Evaluator:
    """At most *at_once* processes; each does one evaluation at a time and is kept for the next."""

    def __init__(self, at_once: int = 2) -> None:
        self._slots = asyncio.Semaphore(at_once)
        self._idle: list[asyncio.subprocess.Process] = []

    async def evaluate(
        self, kind: Kind, source: Any, scope: Mapping[str, Any], now: int, seed: int
    ) -> Any:
        """The value. Raises `ToolError` of kind invalid where the expression is at fault."""
        request = write_json([kind, source, scope, now, seed]).encode()
        async with self._slots:
            process = await self._free()
            try:
                async with asyncio.timeout(DEADLINE):
                    answer = await _asked(process, request)
            except TimeoutError:
                await _ended(process)
                raise _refused(f"was stopped after {DEADLINE:g} s") from None
            except (asyncio.IncompleteReadError, ConnectionError):
                await _ended(process)
                limit = f"{MEMORY >> 20} MB"
                raise _refused(f"ended its process: it needs more than {limit}") from None
            except BaseException:
                await _ended(process)
                raise
            self._idle.append(process)
        told = read_json(answer, max_bytes=LARGEST_ANSWER, max_depth=500)
        if "error" in told:
            raise ToolError(Failure(FailureKind.INVALID, told["error"]))
        return told["value"]

    async def _free(self) -> asyncio.subprocess.Process:
        """A process that is kept, if it still lives (the system may have killed it), or a new one."""
        while self._idle:
            process = self._idle.pop()
            if process.returncode is None:
                return process
            await _ended(process)
        return await _started()

    async def aclose(self) -> None:
        """End the processes that are kept."""
        while self._idle:
            await _ended(self._idle.pop())


async def _started() -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-m",
        "drawloom.runtime.evaluator",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
        start_new_session=True,
        limit=1 << 20,
    )


async def _asked(process: asyncio.subprocess.Process, request: bytes) -> bytes:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(_LENGTH.pack(len(request)) + request)
    await process.stdin.drain()
    (length,) = _LENGTH.unpack(await process.stdout.readexactly(_LENGTH.size))
    return await process.stdout.readexactly(length)


async def _ended(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    await process.wait()
    if process.stdin is not None:
        process.stdin.close()
    transport = getattr(process, "_transport", None)
    if transport is not None:
        transport.close()


def _refused(why: str) -> ToolError:
    return ToolError(Failure(FailureKind.INVALID, f"the expression {why}; ask for less at a time"))


# -- inside the process ----------------------------------------------------------


def _answer(request: bytes) -> dict[str, Any]:
    kind, source, scope, now, seed = json.loads(request)
    evaluation = Evaluation(FULL, now * 1000, seed)
    try:
        if kind == "condition":
            return {"value": Condition(source).holds(scope, evaluation)}
        template = listing(source) if kind == "list" else Template(source)
        return {"value": template.fill(scope, evaluation)}
    except (ExpressionInvalid, ValueInvalid) as exc:
        return {"error": str(exc)}
    except MemoryError:
        return {"error": f"the expression needs more than {MEMORY >> 20} MB"}


def main() -> None:
    """Answer requests until the other end closes."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while len(head := source.read(_LENGTH.size)) == _LENGTH.size:
        answer = json.dumps(_answer(source.read(_LENGTH.unpack(head)[0]))).encode()
        sink.write(_LENGTH.pack(len(answer)) + answer)
        sink.flush()


if __name__ == "__main__":
    main()
