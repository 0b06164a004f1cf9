"""One call before its guards: its turn, the places it holds, and how it gives them back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from drawloom.errors import Failure, FailureKind, ToolError
from drawloom.facts import CallQueued, CallRefused
from drawloom.policies.circuit_breaker import speaks_of_health
from drawloom.runtime.guarding.service import Guard

if TYPE_CHECKING:
    from drawloom.runtime.guarding.guards import Guards

_FULL_AGAIN_IN = 1.0  # seconds: when it is worth asking a full queue again


class Caller(NamedTuple):
    """Who asks for a call. Chains take turns within one `priority`, the highest goes first.

    One that is not `patient` is refused where it would have to wait. Who reads on
    `stays` with an instance while that is well. What happens `within` a call that has
    its places takes none of its own: it would wait for the call that waits for it.
    """

    run: str
    step: str
    call: str
    chain: str
    priority: int = 0
    patient: bool = True
    stays: str | None = None
    within: bool = False

    @property
    def place(self) -> tuple[str, str]:
        """What its attempts have in common: the run, and the step or its item."""
        return self.run, self.call.partition("#")[0]


class Hold:
    """The places of one call. `turn` is what it waits for; None while it need not wait.

    Rooms are entered in one order, from the narrow to the wide, so that no two
    calls can wait for each other; the rate comes last, just before the call.
    """

    __slots__ = (
        "_at",
        "_caller",
        "_epoch",
        "_guard",
        "_guards",
        "_limit",
        "_over",
        "_rooms",
        "_since",
        "failure",
        "inside",
        "turn",
        "waited",
    )

    def __init__(
        self,
        guards: Guards,
        guard: Guard,
        rooms: tuple[tuple[tuple[str, ...], int], ...],
        caller: Caller,
    ) -> None:
        self._guards = guards
        self._guard = guard
        self._rooms = rooms
        self._caller = caller
        self._at = 0  # how many rooms have been entered
        self._over = False
        self.inside = False  # the call may be made, or has been
        self.failure: Failure | None = None  # why it may not
        self.turn: asyncio.Future[None] | None = None
        self.waited = 0  # microseconds that its turn took

    @property
    def connection(self) -> str | None:
        """The connection to call: an instance, where there are several."""
        return self._guard.connection

    @property
    def instance(self) -> str | None:
        """The connection, where it is one of several instances."""
        return self._guard.instance

    def begin(self, now: float) -> None:
        """Go as far as is possible now: `inside`, refused with a `failure`, or with a `turn`."""
        self._advance(now)
        if not self.inside and self.failure is None:
            self._since = now
            self.turn = asyncio.get_running_loop().create_future()

    def _advance(self, now: float) -> None:
        admission, rooms, caller = self._guards.admission, self._rooms, self._caller
        while self._at < len(rooms):
            key, limit = rooms[self._at]
            verdict = admission.enter(self, key, limit, caller.priority, caller.chain)
            if verdict != "go":
                self._stopped(verdict, key[0], admission.queue)
                return
            self._at += 1
        rate = self._guard.service.limit
        verdict = rate.enter(self, now, caller.priority, caller.chain)
        if verdict == "go":
            self._pass(now)
        else:
            self._stopped(verdict, "rate", rate.queue)

    def _stopped(self, verdict: str, limit: str, queue: int) -> None:
        """It has to wait for *limit*, unless it cannot or will not."""
        self._limit = limit
        if verdict == "full":
            self.refuse(limit, f"{queue} calls wait for {_WAITED_FOR[limit]}", _FULL_AGAIN_IN)
            return
        if not self._caller.patient:
            self._withdraw()
            self.refuse(limit, f"it would wait for {_WAITED_FOR[limit]}", _FULL_AGAIN_IN)
            return
        if limit == "rate":
            self._guard.service.set_timer()
        if self._guards.tell is not None:
            caller, guard, at = self._caller, self._guard, self._guards.clock.instant()
            where = (caller.run, caller.step, caller.call, guard.tool, guard.connection)
            self._guards.tell(CallQueued(*where, limit, at))

    def _pass(self, now: float) -> None:
        """All turns are taken: the breaker has the last word, for it may have opened meanwhile."""
        breaker = self._guard.breaker
        before = breaker.epoch
        wait = breaker.enter(now)
        if breaker.epoch != before:
            self._guards.breaker_changed(self._guard)
        if wait:
            self.refuse("breaker", OPEN, wait)
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
        now = self._guards.seconds()
        self._advance(now)
        self._tell(now)

    def go_on(self, now: float) -> None:
        """The rate allows this call now."""
        self._pass(now)
        self._tell(now)

    def _tell(self, now: float) -> None:
        if (self.inside or self.failure) and self.turn is not None and not self.turn.done():
            self.waited = round((now - self._since) * 1_000_000)
            self.turn.set_result(None)

    def refuse(self, limit: str, why: str, retry_after: float) -> None:
        """The call may not be made: nothing has happened, and *limit* says which guard it was."""
        self._give_back()
        guard = self._guard
        on = "" if guard.connection is None else f" on connection {guard.connection!r}"
        message = f"{guard.tool}{on} was not called: {why}; try again in {retry_after:.3g} s"
        self.failure = Failure(FailureKind.THROTTLED, message, retry_after, harmless=True)
        self._tell_refused(limit, retry_after)

    def _tell_refused(self, limit: str, retry_after: float | None) -> None:
        if self._guards.tell is not None:
            caller, guard, at = self._caller, self._guard, self._guards.clock.instant()
            where = (caller.run, caller.step, caller.call, guard.tool, guard.connection)
            self._guards.tell(CallRefused(*where, limit, at, retry_after))

    def leave(self, failure: Failure | None, *, nothing_said: bool = False) -> None:
        """The call is over, or given up (*nothing_said*: nobody knows how it went).

        Whoever leaves again changes nothing.
        """
        if self._over:
            return
        self._over = True
        guard, now = self._guard, self._guards.seconds()
        if self.inside:
            self.inside = False
            if guard.pool is not None:
                guard.pool.ended(guard.connection or "")
            well = None if nothing_said else speaks_of_health(failure)
            if well is False and guard.pool is not None:
                guard.pool.failed(self._caller.place, guard.connection or "")
            if guard.breaker.leave(self._epoch, well, now):
                self._guards.breaker_changed(guard)
        elif self.failure is None:
            self._withdraw()
            self.waited = round((now - self._since) * 1_000_000)
            self.failure = GIVEN_UP
            if failure is not None:  # its turn did not come in time
                self._tell_refused(self._limit, None)
        self._give_back()
        if failure is not None and failure.retry_after and failure is not self.failure:
            guard.service.limit.rate.stop(now, failure.retry_after)

    def quota(self, remaining: int, reset: float) -> None:
        """The service has said how many calls it still takes, and for how many seconds."""
        self._guard.service.limit.rate.quota(self._guards.seconds(), remaining, reset)

    def _withdraw(self) -> None:
        self._guards.admission.withdraw(self)
        self._guard.service.limit.withdraw(self)

    def _give_back(self) -> None:
        held, self._at = self._rooms[: self._at], 0
        self._rooms = ()
        if held:
            self._guards.vacate(key for key, _ in reversed(held))


OPEN = "its circuit breaker is open"
GIVEN_UP = Failure(FailureKind.THROTTLED, "the call was given up before its turn", harmless=True)
_WAITED_FOR = {
    "connection": "a place on the connection",
    "tool": "a place of the tool",
    "chain": "a place of the chain",
    "all": "a place",
    "rate": "the rate limit",
}
