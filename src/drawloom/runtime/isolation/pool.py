"""The processes that isolated tools run in: a few, kept, watched and replaced."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from typing import Any, NamedTuple

import msgspec

from drawloom.dataflow.validation import validator_for
from drawloom.dataflow.values import read_json, write_json
from drawloom.errors import Failure, FailureKind, ToolError
from drawloom.policies import DEFAULT_RESOURCES, Admission, Answer, Resources
from drawloom.runtime.code_steps import told_to_sandboxes
from drawloom.runtime.isolation import frames, verdicts
from drawloom.runtime.isolation.origins import Origin, origin_of
from drawloom.runtime.isolation.processes import Child, started
from drawloom.runtime.isolation.usage import families
from drawloom.sdk import Context, Tool

CALLS = 200  # that one process answers before another takes its place
LOOK = 0.1  # seconds between two looks at what the processes have started
WAITING = 1_000  # calls
_DEEPEST = 500
_OF_CONTEXT = ("run", "step", "call", "key", "attempt")
_OF_SANDBOX = 3  # processes that a sandbox takes for itself
_WORKER = "drawloom.runtime.isolation.worker"


class Cost(NamedTuple):
    """What one call took: CPU time in nanoseconds, the rest in bytes; None: not known."""

    cpu: int
    peak: int | None
    sent: int
    received: int


class _Kept(NamedTuple):
    """What a process can be used for again: tools of one file, under the same limits."""

    origin: Origin
    limits: Resources


class _Worker:
    """A process that calls tools, and how many calls it has answered."""

    __slots__ = ("calls", "child", "first_resident", "kept", "own_processes", "peak")

    def __init__(self, child: Child, kept: _Kept, own_processes: int) -> None:
        self.child = child
        self.kept = kept
        self.own_processes = own_processes
        self.calls = 0
        self.first_resident = 0
        self.peak = 0  # bytes, seen from outside

    def worn(self, answer: dict[str, Any]) -> bool:
        """Whether another process should take its place."""
        self.calls += 1
        resident = answer.get("resident", 0)
        if self.calls == 1:
            self.first_resident = resident
        memory = self.kept.limits.memory
        # What its imports take alone is no growth, however much it is.
        grown = resident > max(self.first_resident + memory // 4, memory // 2)
        return self.calls >= CALLS or grown or "limit" in answer


class Isolation:
    """Calls tools in processes of their own. At most *at_once* at a time.

    The declared memory of the calls under way is never more than *memory* bytes
    together (None: no limit); what does not fit waits, and what finds too many
    waiting is throttled. *sandbox* is the one that code steps are to have.
    """

    def __init__(
        self, at_once: int | None = None, memory: int | None = None, sandbox: str = "auto"
    ) -> None:
        self._sandbox = sandbox
        self._at_once = at_once or max(2, os.cpu_count() or 1)
        self._memory = memory
        self._admission = Admission(self._at_once, memory, WAITING)
        self._turns: dict[int, asyncio.Future[None]] = {}
        self._numbers = 0
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._ending: set[asyncio.Task[None]] = set()
        self._watch: asyncio.Task[None] | None = None
        self._looker = ThreadPoolExecutor(1, thread_name_prefix="drawloom-census")

    async def call(
        self,
        tool: Tool,
        args: dict[str, Any],
        context: Context,
        resources: Resources | None = None,
    ) -> tuple[Any, Cost]:
        """The checked output and what it took. Raises `IsolatedCallFailed`.

        To cancel it kills its process.
        """
        limits = resources or DEFAULT_RESOURCES
        named = {name: getattr(context, name) for name in _OF_CONTEXT}
        request = write_json(
            {"tool": tool.name, "args": args, "cpu": limits.cpu, "context": named}
        ).encode()
        kept = _Kept(origin_of(tool), replace(limits, cpu=None))
        async with self._turn(tool.name, limits.memory):
            worker = await self._free(kept, tool.isolation == "sandbox")
            self._busy.add(worker)
            self._look_after()
            try:
                answer, cost = await self._asked(worker, tool.name, request, context, limits)
            except BaseException:
                await self._ended(worker)
                raise
            finally:
                self._busy.discard(worker)
            await self._put_back(worker, answer)
        return _output(tool, answer, limits, cost), cost

    @asynccontextmanager
    async def _turn(self, tool: str, memory: int) -> AsyncIterator[None]:
        self._numbers += 1
        number = self._numbers
        answer = self._admission.ask(number, memory)
        if answer is Answer.NEVER or answer is Answer.FULL:
            raise ToolError(_no_room(tool, answer, memory, self._memory))
        try:
            if answer is Answer.WAIT:
                self._turns[number] = asyncio.get_running_loop().create_future()
                await self._turns[number]
            yield
        finally:
            self._turns.pop(number, None)
            for following in self._admission.leave(number):
                if not self._turns[following].done():
                    self._turns[following].set_result(None)

    async def _free(self, kept: _Kept, sandbox: bool) -> _Worker:
        """A process that is kept for this and still lives, or a new one."""
        for worker in list(self._idle):
            if worker.child.returncode is not None:
                self._idle.remove(worker)
                await self._ended(worker)
        for worker in self._idle:
            if worker.kept == kept:
                self._idle.remove(worker)
                return worker
        while len(self._idle) + len(self._busy) >= self._at_once and self._idle:
            await self._ended(self._idle.pop(0))
        environment = told_to_sandboxes(self._sandbox) if sandbox else {}
        child = await started(_WORKER, speaks=True, environment=environment)
        worker = _Worker(child, kept, _OF_SANDBOX if sandbox else 0)
        first = {"limits": asdict(kept.limits), "origin": asdict(kept.origin)}
        try:
            await worker.child.send(write_json(first).encode())
        except ConnectionError:
            pass  # it has died already, which its call will tell
        except BaseException:
            await self._ended(worker)
            raise
        return worker

    async def _asked(
        self, worker: _Worker, tool: str, request: bytes, context: Context, limits: Resources
    ) -> tuple[dict[str, Any], Cost]:
        child, received = worker.child, 0
        worker.peak = 0
        try:
            await child.send(request)
            while True:
                message = await child.receive()
                received += len(message)
                answer = read_json(message, max_bytes=frames.LARGEST, max_depth=_DEEPEST)
                if "say" not in answer:
                    break
                context.say(answer["say"][0], **answer["say"][1])
        except frames.FrameTooLarge as exc:
            failure = verdicts.too_much(tool, exc.size, frames.LARGEST)
        except (asyncio.IncompleteReadError, ConnectionError):
            failure = verdicts.ended(tool, await child.wait(), limits, child.ended_for)
        else:
            peak = max(answer.get("peak", 0), worker.peak)
            cost = Cost(answer.get("cpu", 0), peak or None, len(request), received)
            return answer, cost
        raise IsolatedCallFailed(failure, Cost(0, worker.peak or None, len(request), received))

    async def _put_back(self, worker: _Worker, answer: dict[str, Any]) -> None:
        if worker.worn(answer):
            await self._ended(worker)
        else:
            self._idle.append(worker)

    async def _ended(self, worker: _Worker) -> None:
        """End a process wholly, even where who waits for that is cancelled meanwhile."""
        ending = asyncio.get_running_loop().create_task(worker.child.aclose())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
        await asyncio.shield(ending)

    # -- watching ----------------------------------------------------------------

    def _look_after(self) -> None:
        if self._watch is None or self._watch.done():
            self._watch = asyncio.get_running_loop().create_task(self._watched())

    async def _watched(self) -> None:
        """While there are calls: count what their processes started, and what all of it holds."""
        loop = asyncio.get_running_loop()
        while self._busy:
            await asyncio.sleep(LOOK)
            calls = [(worker, worker.calls) for worker in self._busy]
            pids = [worker.child.pid for worker, _ in calls]
            found = await loop.run_in_executor(self._looker, families, pids)
            for worker, call in calls:
                if worker not in self._busy or worker.calls != call:
                    continue  # what was seen may be of the call before
                members = found[worker.child.pid]
                held = sum(each.resident for each in members)
                worker.peak = max(worker.peak, held)
                limits = worker.kept.limits
                if len(members) > limits.processes + worker.own_processes:
                    _end(worker.child, "processes")
                elif held > limits.memory:
                    _end(worker.child, "memory")

    async def aclose(self) -> None:
        """End every process. Calls under way must have been cancelled before."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        self._looker.shutdown()
        for worker in [*self._busy, *self._idle]:
            await self._ended(worker)
        self._idle.clear()
        await asyncio.gather(*self._ending)


class IsolatedCallFailed(ToolError):
    """The call failed in its process; `cost` is what is known of what it took."""

    def __init__(self, failure: Failure, cost: Cost) -> None:
        super().__init__(failure)
        self.cost = cost


def _end(child: Child, limit: str) -> None:
    child.ended_for = limit
    child.kill()


def _output(tool: Tool, answer: dict[str, Any], limits: Resources, cost: Cost) -> Any:
    """The output, checked again here: a process that was led astray may say anything."""
    if "limit" in answer:
        raise IsolatedCallFailed(verdicts.over_limit(tool.name, answer["limit"], limits), cost)
    if "failure" in answer:
        raise IsolatedCallFailed(msgspec.convert(answer["failure"], Failure), cost)
    output = answer["output"]
    validator = validator_for(tool.output_schema)
    if not validator.is_valid(output):
        validator.check(output, where=f"the output of {tool.name}")
    return output


def _no_room(tool: str, answer: Answer, memory: int, most: int | None) -> Failure:
    if answer is Answer.NEVER:
        return Failure(
            FailureKind.INVALID,
            f"{tool} asks for {memory} bytes of memory, and the engine gives {most} to all calls "
            "together; ask for less with `resources`, or raise `memory` of [engine]",
            harmless=True,
        )
    message = f"{WAITING} calls wait for a process already; try {tool} again later"
    return Failure(FailureKind.THROTTLED, message, 1.0, harmless=True)
