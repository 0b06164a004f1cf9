"""What is to be done about a schedule now: a pure machine, told what the time is and what runs.

`due(schedule, state, now, running)` gives decisions and the next state. Its rules:

1. A firing is decided once: when the state has *seen* its instant. `seen` only grows, so
   a clock that goes back fires nothing again.
2. A firing that is late by more than the grace is missed, and `misfire` says whether it is
   started; one within the grace is on time.
3. What is to be started then meets `overlap`: it starts, waits in the queue, is dropped,
   or has the running ones cancelled first.
4. Each firing is started, queued or dropped, and each that is dropped is counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from drawloom.triggers.local_time import in_range
from drawloom.triggers.schedule import (
    MOST,
    Firing,
    Schedule,
    firings_between,
    last_firings,
)

Reason: TypeAlias = Literal["missed", "overlap", "queue full"]


@dataclass(frozen=True, slots=True)
class State:
    """Up to which instant all firings are decided, and those that wait for a run to end."""

    seen: datetime
    queued: tuple[Firing, ...] = ()


@dataclass(frozen=True, slots=True)
class Dropped:
    """Firings that are not started, and why; *count* is the least there are if *at_least*."""

    reason: Reason
    first: datetime
    last: datetime
    count: int
    at_least: bool = False


@dataclass(frozen=True, slots=True)
class Decisions:
    """Runs to start, the earliest first; whether to cancel those that run, before; what is not."""

    starts: tuple[Firing, ...]
    cancel: bool
    dropped: tuple[Dropped, ...]
    state: State


def due(schedule: Schedule, state: State, now: datetime, running: int) -> Decisions:
    """Decide about every firing up to *now*; *running* runs of the schedule are under way.

    A run counts as running from the decision to start it until it is over.
    """
    now = in_range(now, "now")
    wanted, dropped = _wanted(schedule, state, now)
    starts, queued, cancel, more = _let(schedule, state.queued, wanted, running)
    seen = max(state.seen, now)
    return Decisions(starts, cancel, (*dropped, *more), State(seen, queued))


def _wanted(
    schedule: Schedule, state: State, now: datetime
) -> tuple[tuple[Firing, ...], list[Dropped]]:
    """The firings to start, as far as misfires decide."""
    if now <= state.seen:
        return (), []
    line = now - schedule.misfire.grace  # what is before it is missed
    in_time: tuple[Firing, ...] = ()
    since = max(state.seen, line - timedelta(microseconds=1))
    if since < now:
        in_time = firings_between(schedule, since, now, MOST).firings
    kept, dropped = _missed(schedule, state.seen, line - timedelta(microseconds=1))
    return (*kept, *in_time), dropped


def _missed(
    schedule: Schedule, seen: datetime, until: datetime
) -> tuple[tuple[Firing, ...], list[Dropped]]:
    """Which of the missed firings are started, and what is dropped."""
    if until <= seen:
        return (), []
    most = {"run_once": 1, "run_all": schedule.misfire.limit, "skip": 0}[schedule.misfire.policy]
    kept = last_firings(schedule, seen, until, most) if most else ()
    before = kept[0].at - timedelta(microseconds=1) if kept else until
    if before <= seen or (most and len(kept) < most):
        return kept, []
    found = firings_between(schedule, seen, before, MOST)
    if not found.firings:
        return kept, []
    last = found.firings[-1]
    if found.more:
        last = last_firings(schedule, seen, before, 1)[-1]
    count = len(found.firings)
    return kept, [Dropped("missed", found.firings[0].at, last.at, count, found.more)]


def _let(
    schedule: Schedule, queued: tuple[Firing, ...], wanted: tuple[Firing, ...], running: int
) -> tuple[tuple[Firing, ...], tuple[Firing, ...], bool, list[Dropped]]:
    """What starts, what waits, whether to cancel, and what is dropped, by the overlap policy."""
    line = (*queued, *wanted)
    match schedule.overlap.policy:
        case "allow":
            return line, (), False, []
        case "skip":
            starts = line[:1] if running == 0 else ()
            return starts, (), False, _dropped("overlap", line[len(starts) :])
        case "cancel_running":
            return line[-1:], (), bool(line) and running > 0, _dropped("overlap", line[:-1])
    starts, waiting = (line[:1], line[1:]) if running == 0 else ((), line)
    limit = schedule.overlap.limit
    return starts, waiting[:limit], False, _dropped("queue full", waiting[limit:])


def _dropped(reason: Reason, firings: Iterable[Firing]) -> list[Dropped]:
    ats = [firing.at for firing in firings]
    return [Dropped(reason, ats[0], ats[-1], len(ats))] if ats else []
