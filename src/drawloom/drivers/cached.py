"""Calls whose answer may be used again: given at once, waited for, or fetched and kept."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from drawloom.drivers.refreshing import Refresh
from drawloom.kernel import CallSucceeded, CallTool, Event
from drawloom.policies.cache import Age
from drawloom.runtime.caching import Answers
from drawloom.runtime.calling import Hands

R = TypeVar("R")  # a run under way, as its driver knows it


class CachedCalls(Generic[R]):
    """Stands between a driver and the kept answers.

    *post* has an event received, *again* has a call made as if it had just been asked
    for, *spawn* has work done beside the runs, and *tell* hears which answers were used.
    """

    def __init__(
        self,
        answers: Answers[tuple[R, CallTool]],
        hands: Hands,
        post: Callable[[R, Event], None],
        again: Callable[[R, CallTool], None],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        tell: Callable[[R, CallTool, Age], None],
    ) -> None:
        self.answers = answers
        self._hands = hands
        self._post = post
        self._again = again
        self._spawn = spawn
        self._tell = tell
        self._leading: dict[tuple[R, str], str] = {}  # calls that fetch an answer, and its key

    def begin(self, run: R, command: CallTool, connection: str | None, chain: str) -> bool:
        """Whether the call is answered, or waits for another one; else it is to be made."""
        if (run, command.call) in self._leading:
            return False
        tool: Any = command.step.spec
        key = self.answers.key(tool, connection, command.args)
        found = self.answers.get(key)
        if found is None:
            if not self.answers.lead(key, (run, command)):
                return True
            self._leading[run, command.call] = key
            return False
        output, age = found
        self._give(run, command, output, age)
        if age == "stale" and self.answers.lead(key, None):
            refresh = Refresh(self._hands, command, connection, chain)
            if refresh.refused:
                self.answers.landed(key)  # the next call that is given the old answer tries again
            else:
                self._spawn(self._refreshed(key, command, refresh))
        return True

    def landed(self, run: R, command: CallTool, event: Event | None) -> None:
        """A call has ended, or was stopped (*event* None): who waits for it is served."""
        key = self._leading.pop((run, command.call), None)
        if key is not None:
            self._landed(key, command, event)

    def _landed(self, key: str, command: CallTool, event: Event | None) -> None:
        rule = command.step.cache
        if isinstance(event, CallSucceeded) and rule is not None:
            self.answers.put(key, command.step.tool, rule, event.output)
            for other, call in self.answers.landed(key):
                self._give(other, call, event.output, "fresh")
        else:
            for other, call in self.answers.landed(key):
                self._again(other, call)

    def _give(self, run: R, command: CallTool, output: Any, age: Age) -> None:
        self._tell(run, command, age)
        at = self._hands.guards.clock.instant()
        self._post(run, CallSucceeded(command.call, output, at))

    async def _refreshed(self, key: str, command: CallTool, refresh: Refresh) -> None:
        self._landed(key, command, await refresh.fetch())
