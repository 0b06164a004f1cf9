"""Evaluate large expressions in a process of their own, with a memory limit and a deadline.

The engine's process only evaluates what fits its loop (`expressions.INLINE`).
Anything larger comes here: an expression that never ends, or that needs a
gigabyte, dies alone, while other runs go on.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from typing import Any, Literal

from drawloom.dataflow.expressions import FULL
from drawloom.dataflow.references import Condition, Evaluation, Template, listing
from drawloom.dataflow.values import read_json, write_json
from drawloom.errors import ExpressionInvalid, Failure, FailureKind, ToolError, ValueInvalid
from drawloom.runtime.isolation import confinement, frames
from drawloom.runtime.isolation.processes import Child, started

MEMORY = 1 << 30  # bytes of address space
DEADLINE = 10.0  # seconds, start of the process included
_MODULE = "drawloom.runtime.evaluator"

Kind = Literal["condition", "template", "list"]


class Evaluator:
    """At most *at_once* processes; each does one evaluation at a time and is kept for the next."""

    def __init__(self, at_once: int = 2) -> None:
        self._slots = asyncio.Semaphore(at_once)
        self._idle: list[Child] = []

    async def evaluate(
        self, kind: Kind, source: Any, scope: Mapping[str, Any], now: int, seed: int
    ) -> Any:
        """The value. Raises `ToolError` of kind invalid where the expression is at fault."""
        request = write_json([kind, source, scope, now, seed]).encode()
        async with self._slots:
            process = await self._free()
            try:
                async with asyncio.timeout(DEADLINE):
                    await process.send(request)
                    answer = await process.receive()
            except TimeoutError:
                await process.aclose()
                raise _refused(f"was stopped after {DEADLINE:g} s") from None
            except frames.FrameTooLarge as exc:
                await process.aclose()
                raise _refused(f"gave {exc.size} bytes") from None
            except (asyncio.IncompleteReadError, ConnectionError):
                await process.aclose()
                limit = f"{MEMORY >> 20} MB"
                raise _refused(f"ended its process: it needs more than {limit}") from None
            except BaseException:
                await process.aclose()
                raise
            self._idle.append(process)
        told = read_json(answer, max_bytes=frames.LARGEST, max_depth=500)
        if "error" in told:
            raise ToolError(Failure(FailureKind.INVALID, told["error"]))
        return told["value"]

    async def _free(self) -> Child:
        """A process that is kept, if it still lives (the system may have killed it), or a new one."""
        while self._idle:
            process = self._idle.pop()
            if process.returncode is None:
                return process
            await process.aclose()
        return await started(_MODULE)

    async def aclose(self) -> None:
        """End the processes that are kept."""
        while self._idle:
            await self._idle.pop().aclose()


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
    confinement.live_with_parent(int(sys.argv[1]))
    confinement.limit_address_space(MEMORY)
    source, sink = confinement.take_pipes()
    while (request := frames.read(source)) is not None:
        frames.write(sink, json.dumps(_answer(request)).encode())
