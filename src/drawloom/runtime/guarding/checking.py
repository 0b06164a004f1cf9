"""Ask the instances of pools how they are, while an engine runs and calls them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from drawloom.policies.health import Health
from drawloom.runtime.clock import Alarm, Timekeeper, within

Ask: TypeAlias = Callable[[str], Coroutine[Any, Any, object]]
Spawn: TypeAlias = Callable[[Coroutine[Any, Any, None]], object]


class Checker:
    """Asks the instances of one pool. *ask* raises where an instance is not well.

    *rests* says whether an instance has asked to be left alone: then it is not asked.
    *found* is told how each is, and whether that is news.
    """

    def __init__(
        self,
        health: Health,
        clock: Timekeeper,
        ask: Ask,
        rests: Callable[[str], bool],
        found: Callable[[str, bool, bool], None],
        spawn: Spawn | None = None,
    ) -> None:
        self.health = health
        self._clock = clock
        self._ask = ask
        self._rests = rests
        self._found = found
        self._spawn = spawn or self._spawned
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: Alarm | None = None

    def used(self, now: float) -> None:
        """A call came: from now on they are asked, if they were not."""
        if self.health.used(now):
            self._round()

    def _round(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        for name in self.health.begin(now):
            if self._rests(name):
                self.health.answered(name, None)
            else:
                self._spawn(self._asked(name))
        if (wait := self.health.wait(now)) is not None:
            self._timer = self._clock.call_later(wait, self._round)

    async def _asked(self, name: str) -> None:
        well: bool | None = None
        try:
            await within(self._clock, self.health.rule.timeout, self._ask(name))
            well = True
        except Exception:  # noqa: BLE001  # whatever it says, it is not well
            well = False
        finally:
            news = self.health.answered(name, well)
        self._found(name, well, news)

    def _spawned(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        """Ask nobody any more."""
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
