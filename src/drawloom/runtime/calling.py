"""Carry out one tool call: arguments in, checked I-JSON out, faults named, time measured."""

from __future__ import annotations

import asyncio
import contextvars
import time
import types
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeAlias

import msgspec

from drawloom.dataflow.validation import validator_for
from drawloom.dataflow.values import LARGEST_INTEGER, encode_output
from drawloom.doors.meter import METER, Meter
from drawloom.errors import ConnectionUnusable, Failure, FailureKind, ToolError, ValueInvalid
from drawloom.facts import Fact
from drawloom.policies import Effect, Resources
from drawloom.runtime.clients import Clients
from drawloom.runtime.guarding import Guards, Hold
from drawloom.runtime.isolation.pool import Cost, IsolatedCallFailed, Isolation
from drawloom.runtime.streams import Streams
from drawloom.sdk import Context, FaultTable, Tool, name_fault

THREADS = 32

_OF_A_SERVICE = frozenset({FailureKind.TRANSIENT, FailureKind.TIMEOUT, FailureKind.THROTTLED})


Redact: TypeAlias = Callable[[Failure], Failure]


class Measured:
    """What one call cost so far: wall and CPU time in nanoseconds, and the door's count.

    `peak_memory` is in bytes, None where the call had no process of its own.
    """

    __slots__ = ("began", "cpu", "hold", "meter", "peak_memory", "wall")

    def __init__(self) -> None:
        self.began = time.perf_counter_ns()
        self.cpu = 0
        self.wall = 0
        self.meter: Meter | None = None
        self.hold: Hold | None = None  # what it has of the guards
        self.peak_memory: int | None = None

    def add(self, cost: Cost) -> None:
        """Count what a call in a process of its own took."""
        self.cpu += cost.cpu
        self.peak_memory = cost.peak
        self.meter = Meter(bytes_in=cost.received, bytes_out=cost.sent)

    def stop(self) -> None:
        self.wall = time.perf_counter_ns() - self.began

    def release(self, failure: Failure | None, *, nothing_said: bool = False) -> None:
        """Give back what the call holds, and tell the guards how it went."""
        hold = self.hold
        if hold is not None:
            if self.meter is not None and self.meter.quota is not None:
                hold.quota(*self.meter.quota)
            hold.leave(failure, nothing_said=nothing_said)


class Waiting(NamedTuple):
    """A coroutine that has made its first step, what it waits for, and its arguments."""

    coroutine: Any
    waits_for: Any
    args: dict[str, Any]


class Prepared:
    """A tool made ready to be called: what depends only on the tool is worked out once.

    `waits` is set once the tool was seen to suspend: such a tool gets a task of
    its own from the start. `guarded` says whether guards stand before a call without
    a connection: they do once the tool has waited, or has failed as a service does,
    so that a tool which never does either is spared what they cost. An isolated tool
    is called in another process, where it is made ready once more, *inside*.
    *redact* takes what no failure may tell out of it.
    """

    __slots__ = (
        "check",
        "copies",
        "function",
        "guarded",
        "is_async",
        "isolated",
        "name",
        "redact",
        "takes",
        "takes_streams",
        "tool",
        "waits",
        "wants_context",
    )

    def __init__(
        self, tool: Tool, *, inside: bool = False, redact: Redact = lambda failure: failure
    ) -> None:
        self.tool = tool
        self.redact = redact
        self.isolated = tool.isolation != "none" and not inside
        self.name = tool.name
        self.function: Callable[..., Any] = tool.function
        self.is_async = tool.is_async and not self.isolated
        self.takes_streams = bool(tool.stream_inputs)
        # A thread is waited for, and so are a process and a stream.
        self.waits = self.isolated or self.takes_streams or (not tool.is_async and not tool.inline)
        self.guarded = self.waits
        self.wants_context = self.isolated or tool.signature.context_name is not None
        self.copies = not tool.readonly_input and not self.takes_streams
        self.takes = _taker(tool)
        self.check = _checker(tool)

    def begin(self, client: Any, args: dict[str, Any], context: Context) -> Any:
        """The checked output, or `Waiting` where the tool suspends."""
        if self.copies:
            args = _own(args)
        if self.takes is not None:
            args = self.takes(args, context)
        called = self.function(**args) if client is None else self.function(client, **args)
        if not self.is_async:
            return self.check(called, args)
        try:
            waits_for = called.send(None)
        except StopIteration as stop:
            output = stop.value
        else:
            self.waits = self.guarded = True
            return Waiting(called, waits_for, args)
        return self.check(output, args)

    def fault(self, exc: BaseException) -> Failure:
        """What an exception of a call means, in the words of the nine kinds."""
        if isinstance(exc, asyncio.CancelledError):
            return Failure(FailureKind.DEFECT, f"{self.name} cancelled its own call")
        failure = self.redact(failure_of(self.tool, exc))
        if failure.kind in _OF_A_SERVICE:
            self.guarded = True
        return failure

    def begin_measured(
        self, client: Any, args: dict[str, Any], context: Context, measured: Measured
    ) -> Any:
        """`begin`, and its time. It cannot have waited, so all of it was the interpreter's."""
        began = time.perf_counter_ns()
        try:
            return self.begin(client, args, context)
        finally:
            measured.cpu = time.perf_counter_ns() - began


def _own(args: dict[str, Any]) -> dict[str, Any]:
    """Arguments that a tool may change: their lists and objects belong to other steps, too."""
    for value in args.values():
        if type(value) is dict or type(value) is list:
            copied: dict[str, Any] = msgspec.to_builtins(args)
            return copied
    return args


def _taker(tool: Tool) -> Callable[[dict[str, Any], Context], dict[str, Any]] | None:
    """Turns JSON arguments into the function's own; None where they are the same."""
    context_name = tool.signature.context_name
    if tool.plain_input and context_name is None:
        return None
    names = [p.name for p in tool.signature.parameters]

    def take(args: dict[str, Any], context: Context) -> dict[str, Any]:
        if tool.plain_input:
            taken = dict(args)
        else:
            model = tool.model.model_validate(args)
            taken = {n: getattr(model, n) for n in names if n in model.model_fields_set}
        if context_name is not None:
            taken[context_name] = context
        return taken

    return take


def _checker(tool: Tool) -> Callable[[Any, dict[str, Any]], Any]:
    """Turns what the function returned into I-JSON that fits the tool's output schema."""
    validator = validator_for(tool.output_schema)
    is_valid, name = validator.is_valid, tool.name
    dump = None if tool.plain_output else tool.adapter.dump_python
    encode = (lambda output, args: output) if tool.encoded else encode_output

    def check(output: Any, args: dict[str, Any]) -> Any:
        kind = type(output)
        if (
            (kind is int and -LARGEST_INTEGER <= output <= LARGEST_INTEGER)
            or output is None
            or kind is bool
            or (kind is str and output.isascii())
        ) and is_valid(output):
            return output  # the commonest outputs, without another call
        return check_carefully(output, args)

    def check_carefully(output: Any, args: dict[str, Any]) -> Any:
        try:
            if dump is not None:
                output = dump(output, mode="json", warnings=False)
            try:
                fits = is_valid(output)
            except ValueError:  # no JSON at all: the encoding says which part, and why
                fits = True
            if not fits:
                validator.check(output, where=f"the output of {name}")
            return encode(output, args)
        except ValueInvalid as exc:
            details = {"pointer": exc.path}
            message = f"{name} gave what its output schema does not allow: {exc}"
            raise ToolError(Failure(FailureKind.DEFECT, message, None, details)) from None

    return check


class Hands:
    """Calls tools: one instance per engine."""

    def __init__(
        self,
        clients: Clients,
        threads: int = THREADS,
        guards: Guards | None = None,
        memory: int | None = None,
        cgroup: str | None = None,
    ) -> None:
        self._clients = clients
        self.guards = guards or Guards()
        self.streams = Streams(clients, self.guards)
        self.guards.ask_instances(clients.check)
        self.isolation = Isolation(memory=memory, sandbox=clients.catalogue.sandbox, cgroup=cgroup)
        self.ready: dict[Tool, Prepared] = {}  # what `prepared` has made so far
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="drawloom-tool")

    def watch(self, tell: Callable[[Fact], None]) -> None:
        """Have the facts of guards and of pools told from now on."""
        self.guards.tell = self._clients.tell = tell

    def prepared(self, tool: Tool) -> Prepared:
        """A tool made ready, at its first use."""
        found = self.ready.get(tool)
        if found is None:
            found = self.ready[tool] = Prepared(tool, redact=self._clients.redact)
            found.guarded = found.guarded or self.guards.policies.limits(tool.name)
        return found

    def client(self, connection: str | None, measured: Measured) -> Any:
        """The open client of a connection: None where there is none, or it is not open yet."""
        if connection is None:
            return None
        measured.meter = Meter()
        METER.set(measured.meter)
        return self._clients.ready(connection)

    async def call(
        self,
        prepared: Prepared,
        connection: str | None,
        args: dict[str, Any],
        context: Context,
        measured: Measured,
        resources: Resources | None = None,
    ) -> Any:
        """The tool's checked output, or `Waiting`. What goes wrong is raised; see `failure_of`.

        *resources* are the limits of a call in a process of its own.
        """
        if prepared.isolated:
            return await self._in_process(prepared, args, context, measured, resources)
        client = self.client(connection, measured)
        if client is None and connection is not None:
            client = await self._clients.get(connection)
        if prepared.is_async or prepared.tool.inline:
            return prepared.begin_measured(client, args, context, measured)
        if prepared.copies:
            args = _own(args)
        taken = args if prepared.takes is None else prepared.takes(args, context)
        positional = () if client is None else (client,)
        output = await self._in_thread(prepared.function, positional, taken, measured)
        return prepared.check(output, taken)

    def failure_of(self, tool: Tool, exc: BaseException) -> Failure:
        """What an exception of a call means, without any secret that a client has."""
        return self._clients.redact(failure_of(tool, exc))

    async def renewed(
        self, tool: Tool, connection: str | None, failure: Failure, measured: Measured
    ) -> bool:
        """Whether to make a refused call once more: its client had an old secret, or address.

        A tool with the effect `once` only where the refusal proves that nothing happened.
        """
        if connection is None or failure.kind is not FailureKind.DENIED:
            return False
        if tool.effect is Effect.ONCE and not failure.harmless:
            return False
        return await self._clients.renewed(connection, measured.began)

    async def _in_process(
        self,
        prepared: Prepared,
        args: dict[str, Any],
        context: Context,
        measured: Measured,
        resources: Resources | None,
    ) -> Any:
        try:
            output, cost = await self.isolation.call(prepared.tool, args, context, resources)
        except IsolatedCallFailed as exc:
            measured.add(exc.cost)
            raise
        measured.add(cost)
        return output

    async def _in_thread(
        self, function: Callable[..., Any], args: Any, named: Any, measured: Measured
    ) -> Any:
        def work() -> Any:
            began = time.thread_time_ns()
            try:
                return function(*args, **named)
            finally:
                measured.cpu += time.thread_time_ns() - began

        # With this context, so that the doors find the call's meter in the thread too.
        run = contextvars.copy_context().run
        return await asyncio.get_running_loop().run_in_executor(self._threads, run, work)

    async def aclose(self) -> None:
        """End the processes, close the clients; threads that hang are left behind."""
        self.guards.stop()
        await self.isolation.aclose()
        self._threads.shutdown(wait=False, cancel_futures=True)
        await self.streams.aclose()
        await self._clients.aclose()


def failure_of(tool: Tool, exc: BaseException) -> Failure:
    """What an exception of a call means, in the words of the nine kinds."""
    return client_failure(tool.faults, exc)


def client_failure(faults: FaultTable, exc: BaseException) -> Failure:
    """The same, of a client that is opened or asked without a tool."""
    if isinstance(exc, ConnectionUnusable):
        return Failure(FailureKind.DENIED, str(exc), harmless=True)
    return name_fault(faults, exc)


@types.coroutine
def metered(waiting: Waiting, measured: Measured) -> Generator[Any, Any, Any]:
    """Drive a coroutine as `await` does, and add up the time of its own steps.

    A step waits for nobody, so its time is the interpreter's. The thread's own clock would
    also leave out what other threads take meanwhile, but is a call of the system: twice a
    step, that was a fifth of all that a short call costs.
    """
    coroutine, waits_for, _ = waiting
    clock = time.perf_counter_ns
    resume: Callable[[Any], Any]
    while True:
        try:
            value: Any = yield waits_for
            resume = coroutine.send
        except GeneratorExit:
            coroutine.close()
            raise
        except BaseException as exc:  # noqa: BLE001  # it is the coroutine's, as with await
            resume, value = coroutine.throw, exc
        began = clock()
        try:
            waits_for = resume(value)
        except StopIteration as stop:
            return stop.value
        finally:
            measured.cpu += clock() - began
