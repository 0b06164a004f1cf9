"""The process that calls isolated tools, one after another, until its engine is gone.

The first message sets its limits and says where its tools are written; each
further one is a call. It answers with lines for the run's log and, last, with
the output or the failure, and what the call cost.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

from drawloom.dataflow.values import read_json, write_json
from drawloom.errors import Failure, FailureKind
from drawloom.policies import Resources
from drawloom.runtime.calling import Measured, Prepared, Waiting, failure_of, metered
from drawloom.runtime.isolation import confinement, frames, usage
from drawloom.runtime.isolation.origins import Origin, found
from drawloom.sdk import Context

_DEEPEST = 500
_LIMITS = {errno.EMFILE: "files", errno.EFBIG: "disk", errno.EAGAIN: "processes"}


class Worker:
    """Tools made ready, and the pipe that their answers go to."""

    def __init__(self, origin: Origin, sink: BinaryIO, memory: int) -> None:
        self._origin = origin
        self._much = memory // 4
        self._sink = sink
        self._ready: dict[str, Prepared] = {}

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Make the call that *request* asks for; what came of it, and what it cost."""
        usage.forget_peak()
        began = usage.cpu_time()
        answer = self._outcome(request)
        answer["cpu"] = usage.cpu_time() - began
        answer["peak"] = usage.peak_memory()
        answer["resident"] = self._resident()
        answer["left"] = usage.has_children()
        return answer

    def _resident(self) -> int:
        """What is still held. A full collection takes milliseconds, so only where it may help."""
        if usage.resident() > self._much:
            gc.collect()
        return usage.resident()

    def _outcome(self, request: dict[str, Any]) -> dict[str, Any]:
        prepared: Prepared | None = None
        try:
            prepared = self._prepared(request["tool"])
            if request["first"]:
                frames.write(self._sink, b'{"began": true}')  # what was read before is no call's
            confinement.limit_cpu(request["cpu"])
            context = Context(**request["context"], _say=self._say)
            return {"output": _called(prepared, request["args"], context)}
        except BaseException as exc:  # noqa: BLE001  # whatever a tool does
            if (limit := _exceeded(exc)) is not None:
                return {"limit": limit}
            if prepared is not None:
                return {"failure": msgspec.to_builtins(failure_of(prepared.tool, exc))}
            message = f"{request['tool']} cannot be loaded: {type(exc).__name__}: {exc}"
            return {"failure": msgspec.to_builtins(Failure(FailureKind.DEFECT, message))}

    def _prepared(self, name: str) -> Prepared:
        if name not in self._ready:
            self._ready[name] = Prepared(found(self._origin, name), inside=True)
        return self._ready[name]

    def _say(self, message: str, data: dict[str, Any]) -> None:
        frames.write(self._sink, write_json({"say": [message, data]}).encode())


def _called(prepared: Prepared, args: dict[str, Any], context: Context) -> Any:
    if prepared.is_async:
        return asyncio.run(_awaited(prepared, args, context))
    return prepared.begin(None, args, context)


async def _awaited(prepared: Prepared, args: dict[str, Any], context: Context) -> Any:
    output = prepared.begin(None, args, context)
    if type(output) is Waiting:
        output = prepared.check(await metered(output, Measured()), output.args)
    return output


def _exceeded(exc: BaseException | None) -> str | None:
    """The limit that an exception, or what it comes from, tells of."""
    seen = 0
    while exc is not None and seen < 20:
        if isinstance(exc, MemoryError):
            return "memory"
        if isinstance(exc, OSError) and exc.errno in _LIMITS:
            return _LIMITS[exc.errno]
        exc, seen = exc.__cause__, seen + 1
    return None


def _requests(source: BinaryIO) -> Iterator[dict[str, Any]]:
    while (message := frames.read(source)) is not None:
        yield read_json(message, max_bytes=frames.LARGEST, max_depth=_DEEPEST)


def main() -> None:
    """Answer calls until the other end closes."""
    confinement.live_with_parent(int(sys.argv[1]))
    source, sink = confinement.take_pipes()
    requests = _requests(source)
    first = next(requests, None)
    if first is None:
        return
    confinement.confine(Resources(**first["limits"]))
    worker = Worker(Origin(**first["origin"]), sink, first["limits"]["memory"])
    for request in requests:
        answer = worker.answer(request)
        try:
            message = write_json(answer).encode()
        except MemoryError:
            message = write_json({"limit": "memory"}).encode()
        frames.write(sink, message)
        del answer, message
