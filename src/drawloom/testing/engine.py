"""The simulated engine, with a test's answers in the place of tools."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

import msgspec

from drawloom.chains.check_tests import check_items
from drawloom.dataflow.validation import validator_for
from drawloom.dataflow.values import encode_value
from drawloom.drivers.simulated import Clock, Result, SimulatedEngine
from drawloom.drivers.simulated.active import Active
from drawloom.errors import Failure, FailureKind, ToolError, ValueInvalid
from drawloom.kernel import CallFailed, CallTool, Run
from drawloom.kernel.messages import Pull, Pulled
from drawloom.policies import Effect
from drawloom.runtime import Catalogue
from drawloom.sdk import Tool
from drawloom.testing.case import Answer
from drawloom.testing.script import Made, Script

_SLEEP = "core.sleep"


def runs_for_real(tool: Tool) -> bool:
    """Whether a test may call *tool*: it touches nothing outside."""
    if tool.connection is not None:
        return False
    return tool.effect is Effect.PURE or tool.name.startswith("core.")


class ScriptedEngine(SimulatedEngine):
    """Answers calls by *script*. Makes no connection: nothing that needs one is called."""

    def __init__(self, catalogue: Catalogue, clock: Clock, script: Script, chain: str) -> None:
        super().__init__(catalogue, clock)
        self._script = script
        self._chain = chain
        self._checked: set[int] = set()  # answers of streams whose items fit

    def run_of(self, run_id: str) -> Run:
        """The run, under way or ended."""
        if run_id in self._ended:
            return self._ended[run_id]
        return self._found(run_id).run

    def run_under_way(self, chain: str) -> str:
        """The run of a sub-chain that is under way, the first of them. Raises `ValueInvalid`."""
        for run_id, active in self._active.items():
            if active.run.plan.name == chain:
                return run_id
        raise ValueInvalid(f"no run of chain {chain!r} is under way then")

    async def quiet(self, run_id: str) -> Result:
        """Let all go on until nothing does without somebody outside; then how the run stands."""
        waiter = asyncio.create_task(self.wait(run_id))
        await asyncio.sleep(0)
        while self._pump is not None and not self._pump.done():
            await asyncio.wait({self._pump})
            await asyncio.sleep(0)
        if waiter.done():
            return waiter.result()
        waiter.cancel()
        with suppress(asyncio.CancelledError):
            await waiter
        return Result(self.run_of(run_id))

    async def _pull(self, active: Active, command: Pull) -> None:
        tool: Any = command.step.spec
        made = self._made(active, command)
        answer = self._script.answer(made, command.step.name, tool.name, lasting=True)
        if answer is None and runs_for_real(tool):
            await super()._pull(active, command)
            return
        event = await self._chunk(answer, made, command, tool)
        if active.calls.pop(command.call, None) is not None:
            self._post(active, event)

    async def _chunk(
        self, answer: Answer | None, made: Made, command: Pull, tool: Tool
    ) -> CallFailed | Pulled:
        """What comes next of a stream whose items the test gives as one list."""
        call = command.call
        try:
            every = await self._items(answer, made, tool)
            at = command.after or 0
            end = self._next_end(answer, made, tool, at, command.most)
        except ToolError as exc:
            return CallFailed(call, exc.failure, self.clock.now)
        items = encode_value(every[at:end])
        return Pulled(call, self.clock.now, len(items), at + len(items), not items, items)

    async def _items(self, answer: Answer | None, made: Made, tool: Tool) -> list[Any]:
        """All items of a stream, as the test gives them."""
        if answer is None:
            raise self._unanswered(made, tool)
        if answer.after:
            await self.clock.sleep(answer.after)
        if answer.failure is not None:
            raise ToolError(answer.failure)
        if id(answer) in self._checked:  # once: it may be read in a thousand chunks
            return cast("list[Any]", answer.output)
        try:
            check_items(tool, answer.output)
        except ValueInvalid as exc:
            raise self._wrong(f"{made.step}: {exc}; {tool.name} cannot give that") from None
        self._checked.add(id(answer))
        return cast("list[Any]", answer.output)

    def _next_end(self, answer: Answer | None, made: Made, tool: Tool, at: int, most: int) -> int:
        try:
            return _next_end(() if answer is None else answer.chunk_ends, at, most)
        except ValueInvalid as exc:
            raise self._wrong(f"{made.step}: {exc}; {tool.name} cannot give that") from None

    def _made(self, active: Active, command: CallTool | Pull) -> Made:
        step = command.step.name
        if active.run.plan.name != self._chain:
            step = f"{active.run.plan.name}/{step}"
        return Made(step, command.call, command.args)

    async def _answer(self, active: Active, command: CallTool, tool: Tool) -> Any:
        made = self._made(active, command)
        self._script.made.append(made)
        place = command.call.partition("#")[0]
        answer = self._script.answer(made, place, tool.name)
        if answer is not None:
            return await self._given(answer, made, tool)
        if not runs_for_real(tool):
            raise self._unanswered(made, tool)
        if tool.name == _SLEEP:
            await self.clock.sleep(command.args["seconds"])
            return {"seconds": command.args["seconds"]}
        if tool.stream_inputs:
            command = await self._with_items(active, command, tool)
        return await super()._answer(active, command, tool)

    async def _with_items(self, active: Active, command: CallTool, tool: Tool) -> CallTool:
        """The command, with the items that the test gives in place of each stream."""
        args = dict(command.args)
        for name in tool.stream_inputs:
            if (given := args.get(name)) is None or isinstance(given, list):
                continue
            step = active.run.plan.by_name[given["$stream"]["step"]]
            source: Any = step.spec
            made = Made(step.name, command.call, given["$stream"]["args"])
            answer = self._script.answer(made, step.name, source.name, lasting=True)
            if answer is not None or not runs_for_real(source):
                args[name] = encode_value(await self._items(answer, made, source))
        return msgspec.structs.replace(command, args=args)

    async def _given(self, answer: Answer, made: Made, tool: Tool) -> Any:
        if answer.after:
            await self.clock.sleep(answer.after)
        if answer.failure is not None:
            raise ToolError(answer.failure)
        try:
            validator_for(tool.output_schema).check(answer.output, f"the answer to {made.call}")
        except ValueInvalid as exc:
            raise self._wrong(f"{exc}; {tool.name} cannot give that") from None
        return encode_value(answer.output)

    def _unanswered(self, made: Made, tool: Tool) -> ToolError:
        return self._wrong(
            f"step {made.step} calls {tool.name} ({tool.effect}), and the test gives no answer; "
            f"add `answers: {{{made.step}: {{output: …}}}}`"
        )

    def _wrong(self, problem: str) -> ToolError:
        self._script.problems.append(problem)
        return ToolError(Failure(FailureKind.DEFECT, f"the test is wrong: {problem}"))


def _next_end(ends: Sequence[int], at: int, most: int) -> int:
    """Where the chunk behind *at* ends. Raises `ValueInvalid` for one of more than *most*."""
    number = bisect_right(ends, at)
    end = ends[number] if number < len(ends) else at + most
    if end - at > most:
        raise ValueInvalid(f"a chunk of {end - at} items, where at most {most} are asked for")
    return end


def calls_by_step(script: Script) -> Mapping[str, list[Mapping[str, Any]]]:
    """The arguments of every call, by step."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for made in script.made:
        found.setdefault(made.step, []).append(made.args)
    return found
