"""What happens from outside while a test's run goes on: signals, approvals, a word of a person."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, TypeAlias

from drawloom.errors import DrawloomError
from drawloom.testing.case import Happening
from drawloom.testing.engine import ScriptedEngine

Doing: TypeAlias = Callable[[ScriptedEngine, str, Happening], Awaitable[None]]


async def _cancel(engine: ScriptedEngine, run_id: str, what: Happening) -> None:
    await engine.cancel(run_id, what.subject)


async def _signal(engine: ScriptedEngine, run_id: str, what: Happening) -> None:
    await engine.signal(run_id, what.subject, what.more.get("payload"))


async def _say(engine: ScriptedEngine, run_id: str, what: Happening) -> None:
    yes = what.kind == "approve"
    more = what.more
    comment = more.get("comment", "")
    await engine.approve(run_id, what.subject, more["by"], yes, more.get("answers"), comment)


async def _resolve(engine: ScriptedEngine, run_id: str, what: Happening) -> None:
    more = what.more
    message = more.get("message", "")
    await engine.resolve(run_id, what.subject, more["outcome"], more.get("output"), message)


# A new kind of event is one more line here, and one in `chains.check_tests.EVENTS`.
_DOING: Final[dict[str, Doing]] = {
    "cancel": _cancel,
    "signal": _signal,
    "approve": _say,
    "reject": _say,
    "resolve": _resolve,
}
# Those whose subject may be in a sub-chain, as `CHAIN/STEP`.
_OF_A_STEP: Final = frozenset({"approve", "reject", "resolve"})


class Outside:
    """Does what a test says happens; `problems` gathers what could not be done."""

    def __init__(
        self, engine: ScriptedEngine, run_id: str, happenings: tuple[Happening, ...]
    ) -> None:
        self._engine = engine
        self._run_id = run_id
        self._next = deque(what for what in happenings if what.at is None)
        self._timed = {n: what for n, what in enumerate(happenings) if what.at is not None}
        self._under_way: set[asyncio.Task[None]] = set()
        self.problems: list[str] = []
        for number, what in self._timed.items():
            due = engine.clock.now + round((what.at or 0.0) * 1_000_000)
            engine.clock.at(due, lambda number=number: self._ring(number))  # type: ignore[misc]

    def _ring(self, number: int) -> None:
        task = asyncio.create_task(self._do(self._timed.pop(number)))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _do(self, what: Happening) -> None:
        try:
            chain, _, subject = what.subject.rpartition("/")
            if not chain or what.kind not in _OF_A_STEP:
                await _DOING[what.kind](self._engine, self._run_id, what)
            else:
                of_step = replace(what, subject=subject)
                await _DOING[what.kind](self._engine, self._engine.run_under_way(chain), of_step)
        except DrawloomError as exc:
            self.problems.append(f"events: {what.kind} {what.subject}: {exc}")

    async def go_on(self, *, to_the_end: bool) -> bool:
        """The run waits: do what comes next, or let time pass; False where nothing is left.

        Unless *to_the_end*, time passes only as far as something is to happen: a
        test may want to see the run wait.
        """
        if self._next:
            await self._do(self._next.popleft())
            return True
        if not to_the_end and not self._timed:
            return False
        if not self._engine.clock.advance():
            return False
        while self._under_way:
            await asyncio.wait(self._under_way)
        return True

    def left(self) -> list[str]:
        """What never happened, for the run was over or did not wait."""
        return [
            f"events: {what.kind} {what.subject} never happened: the run was over before"
            for what in (*self._timed.values(), *self._next)
        ]
