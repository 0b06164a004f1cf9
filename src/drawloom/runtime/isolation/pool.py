"""The processes that isolated tools run in: a few, kept, watched and replaced."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, replace
from typing import Any, NamedTuple

import msgspec

from drawloom.dataflow.validation import validator_for
from drawloom.dataflow.values import read_json, write_json
from drawloom.errors import Failure, FailureKind, ToolError
from drawloom.policies import DEFAULT_RESOURCES, Admission, Answer, Resources
from drawloom.runtime.code_steps import told_to_sandboxes
from drawloom.runtime.isolation import frames, verdicts
from drawloom.runtime.isolation.cgroups import CgroupsUnusable, Group, Nest
from drawloom.runtime.isolation.origins import origin_of
from drawloom.runtime.isolation.processes import Child, started
from drawloom.runtime.isolation.usage import Seen, families
from drawloom.runtime.isolation.verdicts import Excess
from drawloom.runtime.isolation.workers import Kept, Worker
from drawloom.sdk import Context, Tool

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


class Isolation:
    """Calls tools in processes of their own. At most *at_once* at a time.

    The declared memory of the calls under way is never more than *memory* bytes
    together (None: no limit); what does not fit waits, and what finds too many
    waiting is throttled. *sandbox* is the one that code steps are to have, *cgroup* the
    control group in which those of the processes are made (None: what is delegated).
    """

    def __init__(
        self,
        at_once: int | None = None,
        memory: int | None = None,
        sandbox: str = "auto",
        cgroup: str | None = None,
    ) -> None:
        self._sandbox = sandbox
        self._cgroup = cgroup
        self._nest: asyncio.Future[Nest | None] | None = None
        self._at_once = at_once or max(2, os.cpu_count() or 1)
        self._memory = memory
        self._admission = Admission(self._at_once, memory, WAITING)
        self._turns: dict[int, asyncio.Future[None]] = {}
        self._numbers = 0
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
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
        asked = {"tool": tool.name, "args": args, "cpu": limits.cpu, "context": named}
        kept = Kept(origin_of(tool), replace(limits, cpu=None))
        async with self._turn(tool.name, limits.memory):
            worker = await self._free(kept, tool.isolation == "sandbox")
            self._busy.add(worker)
            self._look_after()
            try:
                answer, cost = await self._asked(worker, asked, context, limits)
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

    async def _free(self, kept: Kept, sandbox: bool) -> Worker:
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
        own_processes = _OF_SANDBOX if sandbox else 0
        group = await self._group(kept.limits, own_processes)
        child = await started(_WORKER, speaks=True, environment=environment, group=group)
        worker = Worker(child, kept, own_processes)
        first = {"limits": asdict(kept.limits), "origin": asdict(kept.origin)}
        try:
            await worker.child.send(write_json(first).encode())
        except ConnectionError:
            pass  # it has died already, which its call will tell
        except BaseException:
            await self._ended(worker)
            raise
        return worker

    async def _group(self, limits: Resources, own_processes: int) -> Group | None:
        """A control group with the *limits*; None where none can be had, as `doctor` tells."""
        if self._nest is None:
            loop = asyncio.get_running_loop()
            self._nest = loop.run_in_executor(self._looker, _nest, self._cgroup)
        nest = await asyncio.shield(self._nest)
        if nest is None:
            return None
        group = nest.group()
        group.limit(limits, limits.processes + own_processes)
        return group

    async def _asked(
        self, worker: Worker, asked: dict[str, Any], context: Context, limits: Resources
    ) -> tuple[dict[str, Any], Cost]:
        child, tool, received = worker.child, asked["tool"], 0
        first = worker.takes_on(tool, limits.cpu)
        request = write_json({**asked, "first": first}).encode()
        try:
            await child.send(request)
            while True:
                message = await child.receive()
                received += len(message)
                answer = read_json(message, max_bytes=frames.LARGEST, max_depth=_DEEPEST)
                if "began" in answer:
                    worker.began()
                elif "say" in answer:
                    context.say(answer["say"][0], **answer["say"][1])
                else:
                    break
        except frames.FrameTooLarge as exc:
            failure = verdicts.too_much(tool, exc.size, frames.LARGEST)
        except (asyncio.IncompleteReadError, ConnectionError):
            status = await child.wait()
            if status == -signal.SIGKILL and worker.was_out_of_memory():
                worker.ended_for = worker.ended_for or Excess("memory")
            failure = verdicts.ended(tool, status, limits, worker.ended_for)
        else:
            cpu, peak = worker.cost(answer)
            return answer, Cost(cpu, peak or None, len(request), received)
        raise IsolatedCallFailed(failure, Cost(0, worker.peak or None, len(request), received))

    async def _put_back(self, worker: Worker, answer: dict[str, Any]) -> None:
        if worker.worn(answer):
            await self._ended(worker)
        else:
            self._idle.append(worker)

    async def _ended(self, worker: Worker) -> None:
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
            children = [worker.child for worker, _ in calls]
            found = await loop.run_in_executor(self._looker, _members, children)
            for worker, call in calls:
                if worker not in self._busy or worker.calls != call:
                    continue  # what was seen may be of the call before
                if excess := worker.excess(found[worker.child.pid]):
                    worker.ended_for = excess
                    worker.child.kill()

    async def aclose(self) -> None:
        """End every process. Calls under way must have been cancelled before."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        for worker in [*self._busy, *self._idle]:
            await self._ended(worker)
        self._idle.clear()
        await asyncio.gather(*self._ending)
        if self._nest is not None and (nest := await self._nest) is not None:
            await asyncio.to_thread(nest.close)
        self._looker.shutdown()


class IsolatedCallFailed(ToolError):
    """The call failed in its process; `cost` is what is known of what it took."""

    def __init__(self, failure: Failure, cost: Cost) -> None:
        super().__init__(failure)
        self.cost = cost


def _nest(named: str | None) -> Nest | None:
    with suppress(CgroupsUnusable):
        return Nest(named)
    return None


def _members(children: list[Child]) -> dict[int, list[Seen]]:
    """The family of each; all processes of the machine are gone through only where they must."""
    found = {child.pid: child.members() for child in children if child.group is not None}
    return found | families([child.pid for child in children if child.pid not in found])


def _output(tool: Tool, answer: dict[str, Any], limits: Resources, cost: Cost) -> Any:
    """The output, checked again here: a process that was led astray may say anything."""
    if "limit" in answer:
        excess = Excess(answer["limit"])
        raise IsolatedCallFailed(verdicts.over_limit(tool.name, excess, limits), cost)
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
