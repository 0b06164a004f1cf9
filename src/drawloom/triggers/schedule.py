"""A schedule: when something fires. Pure; every time is an argument, every instant UTC.

`cron` (see `cron`), `every` (an interval of elapsed time) or `rrule` (see `rrule` and
`recurrence`), in a zone, between `start` and `end`, with a calendar of exceptions. What
happens where a local time is missing or comes twice stands in `local_time`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Final, Literal, TypeAlias
from zoneinfo import ZoneInfo

from drawloom.errors import ValueInvalid
from drawloom.triggers.calendars import Calendar
from drawloom.triggers.cron import check_cron, cron_instants
from drawloom.triggers.local_time import (
    EARLIEST,
    LATEST,
    in_range,
    instant_of,
    local_of,
    zone_of,
)
from drawloom.triggers.recurrence import occurrences
from drawloom.triggers.rrule import rule_of

MisfirePolicy: TypeAlias = Literal["run_once", "run_all", "skip"]
OverlapPolicy: TypeAlias = Literal["allow", "skip", "queue", "cancel_running"]

MOST: Final = 10_000  # firings that one question gives
_SECOND: Final = timedelta(seconds=1)
_LONGEST: Final = timedelta(days=3660)
_LONGEST_GRACE: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Misfire:
    """What is done about firings that are late by more than *grace*.

    `run_once` starts one run, that of the latest; `run_all` the latest *limit*; `skip` none.
    """

    policy: MisfirePolicy = "run_once"
    limit: int = 100
    grace: timedelta = timedelta(minutes=1)

    def __post_init__(self) -> None:
        _check_limit("misfire.limit", self.limit, 1000)
        if not timedelta() <= self.grace <= _LONGEST_GRACE:
            raise ValueInvalid(f"misfire.grace: {self.grace} is not within 0s to 1h")


@dataclass(frozen=True, slots=True)
class Overlap:
    """What is done where a run of the schedule is still under way; *limit* bounds the queue."""

    policy: OverlapPolicy = "skip"
    limit: int = 10

    def __post_init__(self) -> None:
        _check_limit("overlap.limit", self.limit, 1000)


@dataclass(frozen=True, slots=True, order=True)
class Firing:
    """One firing: its instant (UTC), and the start key of its run, which is always the same."""

    at: datetime
    key: str


@dataclass(frozen=True, slots=True)
class Found:
    """Firings, the earliest first, and whether there were *more* than the limit."""

    firings: tuple[Firing, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Schedule:
    """When something fires: exactly one of *cron*, *every* and *rrule*.

    *start* and *anchor* are instants; from *end* on nothing fires. An `every` fires at
    *anchor* (else *start*, else 1970) and all multiples from it. A `rrule` needs a
    *start*: its DTSTART. Raises `ValueInvalid` that names the field.
    """

    cron: str | None = None
    every: timedelta | None = None
    rrule: str | None = None
    zone: str = "UTC"
    start: datetime | None = None
    end: datetime | None = None
    anchor: datetime | None = None
    calendar: Calendar | None = None
    misfire: Misfire = field(default_factory=Misfire)
    overlap: Overlap = field(default_factory=Overlap)
    name: str = "schedule"

    def __post_init__(self) -> None:
        given = [kind for kind in ("cron", "every", "rrule") if getattr(self, kind) is not None]
        if len(given) != 1:
            told = " and ".join(given) or "none of them"
            raise ValueInvalid(f"schedule: give one of cron, every and rrule; it has {told}")
        zone_of(self.zone)
        for name in ("start", "end", "anchor"):
            if (at := getattr(self, name)) is not None:
                in_range(at, name)
        if self.start and self.end and self.end <= self.start:
            raise ValueInvalid("end: it is not after start")
        self._check_kind()

    def _check_kind(self) -> None:
        if self.anchor is not None and self.every is None:
            raise ValueInvalid("anchor: only `every` has one")
        if self.cron is not None:
            check_cron(self.cron)
        elif self.every is not None:
            whole = self.every % _SECOND == timedelta()
            if not whole or not _SECOND <= self.every <= _LONGEST:
                raise ValueInvalid(f"every: {self.every} is not whole seconds from 1s to 3660d")
        elif self.rrule is not None:
            rule_of(self.rrule)
            if self.start is None:
                raise ValueInvalid("start: a rrule needs one, as its first instant (DTSTART)")

    def key(self, at: datetime) -> str:
        """The start key of the run that fires at an instant."""
        return f"{self.name}@{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"

    def instants(self, after: datetime) -> Iterator[datetime]:
        """Its instants after *after*, rising, in whole seconds; without end if it has none."""
        after = in_range(after, "after").replace(microsecond=0)
        zone = zone_of(self.zone)
        if self.start is not None:
            after = max(after, _ceiled(self.start) - _SECOND)
        found = (
            self._plain(after)
            if self.calendar is None
            else self.calendar.observed(self._plain, zone, after)
        )
        return _until(found, self.end)

    def _plain(self, after: datetime) -> Iterator[datetime]:
        """Without the calendar, between start and end."""
        if self.start is not None:  # what is moved does not come from before the start either
            after = max(after, _ceiled(self.start) - _SECOND)
        zone = zone_of(self.zone)
        if self.cron is not None:
            found = cron_instants(self.cron, zone, after)
        elif self.every is not None:
            found = self._multiples(self.every, after)
        else:
            found = self._recurring(zone, after)
        return _until(found, self.end)

    def _multiples(self, every: timedelta, after: datetime) -> Iterator[datetime]:
        anchor = (self.anchor or self.start or EARLIEST).astimezone(UTC)
        at = _ceiled(anchor) + ((after - _ceiled(anchor)) // every + 1) * every
        while at < LATEST:
            yield at
            at += every

    def _recurring(self, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
        assert self.rrule is not None and self.start is not None
        rule = rule_of(self.rrule)
        last = _last(rule.until, zone)
        if after >= last:
            return
        start = local_of(_ceiled(self.start), zone)
        for local in occurrences(rule, start, local_of(after, zone)):
            at = instant_of(local, zone)
            if at > last:
                return
            if at > after:
                yield at
                after = at


def next_firings(schedule: Schedule, after: datetime, count: int) -> tuple[Firing, ...]:
    """The first *count* (1 to 10,000) firings after *after*; fewer where it ends before."""
    _check_limit("count", count, MOST)
    return tuple(Firing(at, schedule.key(at)) for at in islice(schedule.instants(after), count))


def firings_between(schedule: Schedule, after: datetime, until: datetime, limit: int) -> Found:
    """The firings after *after* up to *until*, itself included: the first *limit* of them."""
    _check_limit("limit", limit, MOST)
    until = in_range(until, "until")
    found = _until(schedule.instants(after), until + timedelta(microseconds=1))
    ats = list(islice(found, limit + 1))
    firings = tuple(Firing(at, schedule.key(at)) for at in ats[:limit])
    return Found(firings, len(ats) > limit)


def last_firings(
    schedule: Schedule, after: datetime, until: datetime, count: int
) -> tuple[Firing, ...]:
    """The last *count* firings after *after* up to *until*, the earliest of them first.

    Looks for the moment from which on there are as many, by halving the time: a year of
    seconds is not gone through.
    """
    found = firings_between(schedule, after, until, count).firings
    if len(found) < count:
        return found
    low, high = in_range(after, "after"), in_range(until, "until")
    while high - low > _SECOND:
        middle = low + (high - low) / 2
        there = firings_between(schedule, middle, until, count).firings
        if len(there) == count:
            low, found = middle, there
        else:
            high = middle
    return found


def backfill(schedule: Schedule, since: datetime, until: datetime, limit: int) -> Found:
    """The firings from *since* to *until*, both included, to be started now.

    A firing has the start key that it had, or would have had, in its time: what has
    run is not run again, and a back-fill that is done twice starts nothing twice.
    """
    since = in_range(since, "since")
    if until < since:
        raise ValueInvalid("until: it is before since")
    if since == EARLIEST:
        return firings_between(schedule, since, until, limit)
    return firings_between(schedule, since - timedelta(microseconds=1), until, limit)


def _until(found: Iterator[datetime], end: datetime | None) -> Iterator[datetime]:
    for at in found:
        if end is not None and at >= end:
            return
        yield at


def _last(until: datetime | date | None, zone: ZoneInfo) -> datetime:
    """The last instant of a rule's UNTIL: in UTC, by the local clock, or the whole of a day."""
    if until is None:
        return LATEST
    if not isinstance(until, datetime):
        return instant_of(datetime.combine(until + timedelta(1), time()), zone) - _SECOND
    return until if until.tzinfo is not None else instant_of(until, zone)


def _ceiled(at: datetime) -> datetime:
    """The whole second that *at* is, or that comes next."""
    at = at.astimezone(UTC)
    return at if at.microsecond == 0 else at.replace(microsecond=0) + _SECOND


def _check_limit(name: str, value: int, most: int) -> None:
    if not 1 <= value <= most:
        raise ValueInvalid(f"{name}: {value} is not within 1 to {most:,}")
