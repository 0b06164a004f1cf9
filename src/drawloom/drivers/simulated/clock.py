"""A clock that stands still until it is moved to the next thing that is due."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush
from math import ceil

BEGINNING = 946_684_800_000_000  # 2000-01-01, in microseconds since 1970 (UTC)


class Alarm:
    """Something that is due at an instant, unless it is called off."""

    __slots__ = ("off", "ring")

    def __init__(self, ring: Callable[[], object]) -> None:
        self.ring = ring
        self.off = False

    def cancel(self) -> None:
        """Call it off."""
        self.off = True


class Clock:
    """Virtual time, in microseconds since 1970 (UTC).

    A tool of a test that is to take time awaits `sleep`; then the engine knows
    that it waits for the clock alone, and moves it on.
    """

    def __init__(self, now: int = BEGINNING) -> None:
        self.now = now
        self.sleeping = 0  # calls that wait for this clock
        self.on_sleep: Callable[[], None] = lambda: None
        self._alarms: list[tuple[int, int, Alarm]] = []
        self._made = 0

    def seconds(self) -> float:
        """Seconds since it began (see `Timekeeper`)."""
        return (self.now - BEGINNING) / 1_000_000

    def instant(self) -> int:
        """Microseconds since 1970 (UTC)."""
        return self.now

    def call_later(self, seconds: float, work: Callable[[], object]) -> Alarm:
        """Have *work* called later: not too early, and never in this very instant."""
        return self.at(self.now + max(1, ceil(seconds * 1_000_000)), work)

    def at(self, due: int, ring: Callable[[], object]) -> Alarm:
        """Have *ring* called when the clock reaches *due*; what is due together rings in order."""
        alarm = Alarm(ring)
        self._made += 1
        heappush(self._alarms, (due, self._made, alarm))
        return alarm

    def advance(self) -> bool:
        """Move to the next alarm and ring it; False where there is none."""
        while self._alarms:
            due, _, alarm = heappop(self._alarms)
            if not alarm.off:
                self.now = max(self.now, due)
                alarm.ring()
                return True
        return False

    async def until(self, due: asyncio.Future[None]) -> None:
        """Wait for what only time or the end of another call can bring."""
        self.sleeping += 1
        self.on_sleep()
        try:
            await due
        finally:
            self.sleeping -= 1

    async def sleep(self, seconds: float) -> None:
        """Wait for virtual time; for ever where *seconds* is infinite."""
        woken = asyncio.get_running_loop().create_future()

        def wake() -> None:
            if not woken.done():  # else the call was cancelled, and is on its way out
                self.sleeping -= 1
                woken.set_result(None)

        alarm = Alarm(wake)
        if seconds != float("inf"):
            alarm = self.at(self.now + round(seconds * 1_000_000), wake)
        self.sleeping += 1
        self.on_sleep()
        try:
            await woken
        finally:
            if not woken.done() or woken.cancelled():
                alarm.off = True
                self.sleeping -= 1
