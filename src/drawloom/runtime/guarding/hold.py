"""One call before its guards: its turn, the places it holds, and how it gives them back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Hashable
from typing import TYPE_CHECKING

from drawloom.errors import Failure, FailureKind, ToolError
from drawloom.policies.circuit_breaker import speaks_of_health
from drawloom.runtime.guarding.service import Guard

if TYPE_CHECKING:
    from drawloom.runtime.guarding.guards import Guards

_FULL_AGAIN_IN = 1.0  # seconds: when it is worth asking a full queue again


class Hold:
    """The places of one call. `turn` is what it waits for; None while it need not wait.

    Rooms are entered in one order, from the narrow to the wide, so that no two
    calls can wait for each other; the rate comes last, just before the call.
    """

    __slots__ = (
        "_at",
        "_epoch",
        "_group",
        "_guard",
        "_guards",
        "_rooms",
        "failure",
        "inside",
        "turn",
    )

    def __init__(
        self,
        guards: Guards,
        guard: Guard,
        rooms: tuple[tuple[Hashable, int], ...],
        group: str,
    ) -> None:
        self._guards = guards
        self._guard = guard
        self._rooms = rooms
        self._group = group
        self._at = 0  # how many rooms have been entered
        self._epoch = -1
        self.inside = False  # the call may be made, or has been
        self.failure: Failure | None = None  # why it may not
        self.turn: asyncio.Future[None] | None = None

    @property
    def connection(self) -> str | None:
        """The connection to call: an instance, where there are several."""
        return self._guard.connection

    def begin(self) -> None:
        """Go as far as is possible now: `inside`, refused with a `failure`, or with a `turn`."""
        self._advance()
        if not self.inside and self.failure is None:
            self.turn = asyncio.get_running_loop().create_future()

    def _advance(self) -> None:
        admission, rooms = self._guards.admission, self._rooms
        while self._at < len(rooms):
            key, limit = rooms[self._at]
            verdict = admission.enter(self, key, limit, group=self._group)
            if verdict != "go":
                if verdict == "full":
                    self._refuse(f"{admission.queue} calls wait for a place", _FULL_AGAIN_IN)
                return
            self._at += 1
        limit_of_service = self._guard.service.limit
        verdict = limit_of_service.enter(self, time.monotonic(), group=self._group)
        if verdict == "go":
            self._pass()
        elif verdict == "full":
            why = f"{limit_of_service.queue} calls wait for the rate limit"
            self._refuse(why, _FULL_AGAIN_IN)
        else:
            self._guard.service.set_timer()

    def _pass(self) -> None:
        """All turns are taken: the breaker has the last word, for it may have opened meanwhile."""
        breaker = self._guard.breaker
        before = breaker.epoch
        wait = breaker.enter(time.monotonic())
        if breaker.epoch != before:
            self._guards.breaker_changed(self._guard)
        if wait:
            self._refuse(OPEN, wait)
        else:
            self._epoch = breaker.epoch
            self.inside = True
            if self._guard.pool is not None:
                self._guard.pool.began(self._guard.connection or "")

    async def taken(self) -> None:
        """Wait for the turn. Raises `ToolError` (throttled) where it was refused meanwhile."""
        if self.turn is not None:
            await self.turn
        if self.failure is not None:
            raise ToolError(self.failure)

    def came_in(self) -> None:
        """Somebody left, and the place is this call's."""
        self._at += 1
        self._advance()
        self._tell()

    def go_on(self) -> None:
        """The rate allows this call now."""
        self._pass()
        self._tell()

    def _tell(self) -> None:
        if (self.inside or self.failure) and self.turn is not None and not self.turn.done():
            self.turn.set_result(None)

    def _refuse(self, why: str, retry_after: float) -> None:
        self._give_back()
        self.failure = self._guards.refusal(self._guard, why, retry_after)

    def leave(self, failure: Failure | None, *, nothing_said: bool = False) -> None:
        """The call is over, or given up (*nothing_said*: nobody knows how it went)."""
        guard = self._guard
        if self.inside:
            self.inside = False
            if guard.pool is not None:
                guard.pool.ended(guard.connection or "")
            well = None if nothing_said else speaks_of_health(failure)
            if guard.breaker.leave(self._epoch, well, time.monotonic()):
                self._guards.breaker_changed(guard)
        elif self.failure is None:
            self._guards.admission.withdraw(self)
            guard.service.limit.withdraw(self)
            self.failure = GIVEN_UP
        self._give_back()
        if failure is not None and failure.retry_after and failure is not self.failure:
            guard.service.limit.rate.stop(time.monotonic(), failure.retry_after)

    def quota(self, remaining: int, reset: float) -> None:
        """The service has said how many calls it still takes, and for how many seconds."""
        self._guard.service.limit.rate.quota(time.monotonic(), remaining, reset)

    def _give_back(self) -> None:
        held, self._at = self._rooms[: self._at], 0
        self._rooms = ()
        if held:
            self._guards.vacate(key for key, _ in reversed(held))


OPEN = "its circuit breaker is open"
GIVEN_UP = Failure(FailureKind.THROTTLED, "the call was given up before its turn", harmless=True)
