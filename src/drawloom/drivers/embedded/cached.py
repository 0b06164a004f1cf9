"""Calls whose answer may be used again: given at once, waited for, or fetched and kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from drawloom.drivers.embedded.clock import now
from drawloom.drivers.embedded.runner import Runner
from drawloom.kernel import CallSucceeded, CallTool, Event
from drawloom.policies.cache import Age
from drawloom.runtime.caching import Answers
from drawloom.runtime.calling import Hands, Measured, Waiting, metered
from drawloom.sdk import Context

Waiter: TypeAlias = tuple[Runner, CallTool]


class CachedCalls:
    """Stands between the pump and the kept answers.

    *post* has an event received, *again* has a call made as if it had just been asked
    for, *spawn* has work done beside the runs, and *tell* hears which answers were used.
    """

    def __init__(
        self,
        answers: Answers[Waiter],
        hands: Hands,
        post: Callable[[Runner, Event], None],
        again: Callable[[Runner, CallTool], None],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        tell: Callable[[Runner, CallTool, Age], None],
    ) -> None:
        self.answers = answers
        self._hands = hands
        self._post = post
        self._again = again
        self._spawn = spawn
        self._tell = tell
        self._leading: dict[tuple[str, str], str] = {}  # calls that fetch an answer, and its key

    def begin(self, runner: Runner, command: CallTool, connection: str | None) -> bool:
        """Whether the call is answered, or waits for another one; else it is to be made."""
        named = (runner.run_id, command.call)
        if named in self._leading:
            return False
        tool: Any = command.step.spec
        key = self.answers.key(tool, connection, command.args)
        found = self.answers.get(key)
        if found is None:
            if not self.answers.lead(key, (runner, command)):
                return True
            self._leading[named] = key
            return False
        output, age = found
        self._tell(runner, command, age)
        self._post(runner, CallSucceeded(command.call, output, now()))
        if age == "stale" and self.answers.lead(key, None):
            self._spawn(self._refresh(key, command, connection))
        return True

    def landed(self, runner: Runner, command: CallTool, event: Event | None) -> None:
        """A call has ended, or was stopped (*event* None): who waits for it is served."""
        key = self._leading.pop((runner.run_id, command.call), None)
        if key is None:
            return
        rule = command.step.cache
        if isinstance(event, CallSucceeded) and rule is not None:
            self.answers.put(key, command.step.tool, rule, event.output)
            self._serve(key, event.output)
        else:
            for other, call in self.answers.landed(key):
                self._again(other, call)

    def _serve(self, key: str, output: Any) -> None:
        for other, call in self.answers.landed(key):
            self._tell(other, call, "fresh")
            self._post(other, CallSucceeded(call.call, output, now()))

    async def _refresh(self, key: str, command: CallTool, connection: str | None) -> None:
        """Fetch an answer anew while the old one is still given (RFC 5861). A failure may wait."""
        step, measured = command.step, Measured()
        tool: Any = step.spec
        prepared = self._hands.prepared(tool)
        try:
            async with asyncio.timeout(step.timeout):
                output = await self._hands.call(
                    prepared, connection, command.args, Context(step=step.name), measured
                )
                if type(output) is Waiting:
                    output = prepared.check(await metered(output, measured), output.args)
        except Exception:  # noqa: BLE001  # the old answer holds on; the next call tries again
            for other, call in self.answers.landed(key):
                self._again(other, call)
            return
        if step.cache is not None:
            self.answers.put(key, step.tool, step.cache, output)
        self._serve(key, output)
