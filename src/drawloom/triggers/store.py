"""`triggers.db`: schedules and their firings; every change is one transaction of SQLite.

A firing is decided and written down in one transaction with the mark up to which all
are decided. So none is lost or decided twice, whichever process is killed and
however many ask. It is then handed out under a lease, again and again until it
is acknowledged: the start key makes a second start give the first run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from drawloom.db import changing, connect_writer, queries
from drawloom.errors import ValueInvalid
from drawloom.triggers.due import Decisions, State, due
from drawloom.triggers.reading import name_of, schedule_of
from drawloom.triggers.schedule import Firing, Schedule, backfill, next_firings

FILE: Final = "triggers.db"
LEASE: Final = timedelta(seconds=30)
_SCHEMA: Final = "triggers_migrations"
_SQL = queries("triggers")
_1970: Final = datetime(1970, 1, 1, tzinfo=UTC)
_AT_ONCE: Final = 100  # schedules in one transaction
_MICRO: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Kept:
    """A schedule as it is kept: what it starts, how it stands, and what went wrong."""

    tenant: str
    name: str
    chain: str
    input: Mapping[str, Any]
    document: Mapping[str, Any]
    state: str
    seen: datetime
    next_at: datetime | None
    last_at: datetime | None
    failures: int
    failure: str | None
    dropped: int


@dataclass(frozen=True, slots=True)
class Handed:
    """A firing to start: the chain, its input, the instant it stands for and the start key."""

    tenant: str
    name: str
    chain: str
    input: Mapping[str, Any]
    at: datetime
    key: str


@dataclass(frozen=True, slots=True)
class Open:
    """A firing whose run was started, by its start key, and is not over as far as is known."""

    tenant: str
    name: str
    key: str
    run: str


class Schedules:
    """The schedules of a state folder. Made at the first use; two processes may have it open."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / FILE
        self._db = connect_writer(self.path, "full", _SCHEMA)

    def close(self) -> None:
        self._db.close()

    def put(
        self,
        tenant: str,
        chain: str,
        document: Mapping[str, Any],
        given: Mapping[str, Any],
        now: datetime,
    ) -> Kept:
        """Add the schedule that *document* says, or replace it. It fires from *now* on.

        Raises `ValueInvalid`, also for a schedule that never fires.
        """
        schedule = schedule_of(document)
        written = json.dumps(document, sort_keys=True)
        name_of(tenant, "tenant")
        upcoming = _next(schedule, now)
        if upcoming is None:
            raise ValueInvalid(f"schedule {schedule.name}: it never fires after {now.isoformat()}")
        row = (tenant, schedule.name, chain, json.dumps(given), written, _micros(now), upcoming)
        with self._changing():
            self._rows("put", *row)
        return self.get(tenant, schedule.name)

    def get(self, tenant: str, name: str) -> Kept:
        """One schedule. Raises `ValueInvalid` if there is none of this name."""
        for row in self._rows("one", tenant, name):
            return _kept(row)
        raise ValueInvalid(f"there is no schedule {name!r}")

    def all(self, tenant: str) -> list[Kept]:
        """The schedules of a tenant, by name."""
        return [_kept(row) for row in self._rows("all", tenant)]

    def pause(self, tenant: str, name: str, now: datetime) -> None:
        """Stop firing. What is queued is dropped; what falls into the pause never fires."""
        self._set_state(tenant, name, "paused", now)

    def resume(self, tenant: str, name: str, now: datetime) -> None:
        """Fire again, from *now* on."""
        self._set_state(tenant, name, "active", now)

    def remove(self, tenant: str, name: str) -> bool:
        """Forget a schedule and its firings; whether there was one."""
        with self._changing():
            return bool(self._rows("remove", tenant, name))

    def fire(self, now: datetime, limit: int = 1000) -> int:
        """Decide what is due, for at most *limit* schedules; how many had something to decide.

        A schedule that can no longer be read or worked out is paused, with its failure.
        """
        due_now = self._rows("due", _micros(now), limit)
        for first in range(0, len(due_now), _AT_ONCE):
            with self._changing():
                for tenant, name in due_now[first : first + _AT_ONCE]:
                    self._fire_one(tenant, name, now)
        return len(due_now)

    def take(self, now: datetime, limit: int = 100, lease: timedelta = LEASE) -> list[Handed]:
        """Firings to start, each for this caller alone until the *lease* is over."""
        with self._changing():
            rows = self._rows("lease", _micros(now), _micros(now + lease), limit)
            return sorted((self._handed(*row) for row in rows), key=lambda f: (f.at, f.key))

    def acknowledge(self, key: str, run: str) -> None:
        """The run of a firing is durable. Saying so twice changes nothing."""
        with self._changing():
            tenant, name, _ = self._firing(key)
            self._rows("acknowledge", key, run)
            self._rows("started_well", tenant, name)

    def refused(self, key: str, why: str, again_at: datetime | None) -> None:
        """The run could not be started: try *again_at*, or never, if that is None."""
        with self._changing():
            tenant, name, state = self._firing(key)
            if state != "pending":
                return
            self._rows("failed", tenant, name, why)
            if again_at is not None:
                self._rows("release", key, _micros(again_at))
            else:
                self._rows("give_up", key)
                self._rows("wake", tenant, name, 0)

    def over(self, key: str) -> None:
        """The run of a firing has ended, however it did; what is queued may start."""
        with self._changing():
            for tenant, name in self._rows("over", key):
                self._rows("wake", tenant, name, 0)

    def to_cancel(self) -> list[Open]:
        """Runs that a later firing ends; say `over` when they have ended."""
        return [Open(*row) for row in self._rows("to_cancel")]

    def open(self) -> list[Open]:
        """Firings whose runs were not said to be over: after a crash, ask the engine for each."""
        return [Open(*row) for row in self._rows("open")]

    def backfill(
        self, tenant: str, name: str, since: datetime, until: datetime, limit: int
    ) -> tuple[int, bool]:
        """Fire for each instant from *since* to *until* that has no firing here.

        How many that are, and whether there were more than *limit*. They neither wait
        for other runs nor are dropped: whoever asks for them wants them.
        """
        kept = self.get(tenant, name)
        found = backfill(_schedule(tenant, json.dumps(kept.document)), since, until, limit)
        with self._changing():
            added = [
                key
                for f in found.firings
                for key in self._rows("add_missing", tenant, name, _micros(f.at), f.key)
            ]
        return len(added), found.more

    def forget(self, before: datetime) -> None:
        """Forget firings before an instant that are over; a later back-fill may repeat them."""
        with self._changing():
            self._rows("forget", _micros(before))

    def _fire_one(self, tenant: str, name: str, now: datetime) -> None:
        rows = self._rows("one", tenant, name)
        if not rows or rows[0][5] != "active":  # another process was here
            return
        try:
            schedule = _schedule(tenant, rows[0][4])
            queued = tuple(
                Firing(_time(at), key) for at, key in self._rows("queued", tenant, name)
            )
            [[running]] = self._rows("running", tenant, name)
            decided = due(schedule, State(_time(rows[0][6]), queued), now, running)
            upcoming = _next(schedule, decided.state.seen)
        except ValueInvalid as exc:
            self._rows("broken", tenant, name, str(exc))
            return
        self._write(tenant, name, decided, upcoming)

    def _write(self, tenant: str, name: str, decided: Decisions, upcoming: int | None) -> None:
        if decided.cancel:
            self._rows("supersede", tenant, name)  # nobody has begun to start those
            self._rows("cancel", tenant, name)
        waiting = {firing.at for firing in decided.state.queued}
        self._rows("unqueue", tenant, name)
        for firing in (*decided.starts, *decided.state.queued):
            state = "queued" if firing.at in waiting else "pending"
            self._rows("add", tenant, name, _micros(firing.at), firing.key, state)
        last = _micros(decided.starts[-1].at) if decided.starts else None
        dropped = sum(d.count for d in decided.dropped)
        seen = _micros(decided.state.seen)
        self._rows("decided", tenant, name, seen, upcoming, last, dropped)

    def _set_state(self, tenant: str, name: str, state: str, now: datetime) -> None:
        with self._changing():
            kept = self.get(tenant, name)
            if kept.state == state:
                return
            schedule = _schedule(tenant, json.dumps(kept.document, sort_keys=True))
            upcoming = _next(schedule, max(now, kept.seen)) if state == "active" else None
            self._rows("unqueue", tenant, name)
            self._rows("set_state", tenant, name, state, _micros(now), upcoming)

    def _handed(self, tenant: str, name: str, at: int, key: str) -> Handed:
        kept = self.get(tenant, name)
        return Handed(tenant, name, kept.chain, kept.input, _time(at), key)

    def _firing(self, key: str) -> tuple[str, str, str]:
        for tenant, name, state in self._rows("firing", key):
            return tenant, name, state
        raise ValueInvalid(f"there is no firing with the start key {key!r}")

    def _rows(self, query: str, *given: Any) -> list[Any]:
        return self._db.execute(_SQL[query], given).fetchall()

    def _changing(self) -> AbstractContextManager[None]:
        """All of a change is kept, or nothing; another process that changes waits."""
        return changing(self._db)


@lru_cache(maxsize=4096)
def _schedule(tenant: str, document: str) -> Schedule:
    """The schedule, with its tenant in each start key."""
    schedule = schedule_of(json.loads(document))
    return replace(schedule, name=f"{name_of(tenant, 'tenant')}/{schedule.name}")


def _next(schedule: Schedule, after: datetime) -> int | None:
    return next((_micros(f.at) for f in next_firings(schedule, after, 1)), None)


def _kept(row: tuple[Any, ...]) -> Kept:
    tenant, name, chain, given, document, state, *times, failures, failure, dropped = row
    seen, *others = times
    next_at, last_at = (None if at is None else _time(at) for at in others)
    about = (tenant, name, chain, json.loads(given), json.loads(document), state)
    return Kept(*about, _time(seen), next_at, last_at, failures, failure, dropped)


def _micros(at: datetime) -> int:
    return (at - _1970) // _MICRO


def _time(micros: int) -> datetime:
    return _1970 + micros * _MICRO
