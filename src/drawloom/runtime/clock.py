"""The time that policies are told: the machine's own, or that of a simulation."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Alarm(Protocol):
    """Something that is due later, unless it is cancelled."""

    def cancel(self) -> None: ...


class Timekeeper(Protocol):
    """Tells the time, and calls when some of it has passed."""

    def seconds(self) -> float:
        """Seconds since some instant; never goes back."""

    def instant(self) -> int:
        """Microseconds since 1970 (UTC)."""

    def call_later(self, seconds: float, work: Callable[[], object]) -> Alarm:
        """Have *work* called on the event loop after so many seconds."""


class LoopClock:
    """The clocks of this machine, and the timers of the running event loop."""

    seconds = staticmethod(time.monotonic)

    @staticmethod
    def instant() -> int:
        """See `Timekeeper`."""
        return time.time_ns() // 1000

    @staticmethod
    def call_later(seconds: float, work: Callable[[], object]) -> Alarm:
        """See `Timekeeper`."""
        return asyncio.get_running_loop().call_later(seconds, work)


async def within(clock: Timekeeper, seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """What *work* gives. Raises `TimeoutError` where it takes longer on *clock*."""
    task, late = asyncio.current_task(), False

    def ring() -> None:
        nonlocal late
        late = task is not None and task.cancel()

    alarm = clock.call_later(seconds, ring)
    try:
        return await work
    except asyncio.CancelledError:
        if not late or task is None or task.uncancel():
            raise  # somebody else has cancelled it
        raise TimeoutError(f"it took longer than {seconds:g} s") from None
    finally:
        alarm.cancel()
