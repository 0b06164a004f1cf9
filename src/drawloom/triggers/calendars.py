"""Days on which a schedule does not fire, and where such a firing goes instead.

A closed day is one of a list: dates, ranges, weekdays, named calendars. A firing whose
local date is closed is skipped, or moved to the next or the previous working day, at the
same local time. A working day is neither closed nor of the weekend. What is moved
onto an instant that fires anyway is one firing with it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal, TypeAlias
from zoneinfo import ZoneInfo

from drawloom.errors import ValueInvalid
from drawloom.triggers.local_time import instant_of, local_of

Then: TypeAlias = Literal["skip", "next", "previous"]
Base: TypeAlias = Callable[[datetime], Iterator[datetime]]

MOST_DAYS: Final = 10_000
_MOST_MOVED: Final = 100_000  # between two firings
_LOOKED_AHEAD: Final = timedelta(days=50 * 366)
_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Closed *days* and *weekdays* (0 is Monday), what happens *then*, and the *weekend*."""

    days: frozenset[date] = frozenset()
    weekdays: frozenset[int] = frozenset()
    then: Then = "skip"
    weekend: frozenset[int] = frozenset({5, 6})

    def __post_init__(self) -> None:
        if len(self.days) > MOST_DAYS:
            raise ValueInvalid(
                f"calendar.closed: {len(self.days):,} days; at most {MOST_DAYS:,} are kept"
            )
        never = self.weekdays if self.then == "skip" else self.weekdays | self.weekend
        if len(never) == 7:
            raise ValueInvalid("calendar: no weekday is left on which it could fire")

    def is_closed(self, day: date) -> bool:
        """Whether nothing fires on that day."""
        return day in self.days or day.weekday() in self.weekdays

    def is_working(self, day: date) -> bool:
        """Whether a firing may be moved to that day."""
        return not self.is_closed(day) and day.weekday() not in self.weekend

    def observed(self, base: Base, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
        """The firings after *after* (UTC, rising); *base* gives those without a calendar."""
        way = self._skipping if self.then == "skip" else self._moving
        return way(base, zone, after)

    def _skipping(self, base: Base, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
        """Jumps over closed days, however many firings they would have had."""
        asked, going = after, True
        while going:
            going = False
            for at in base(after):
                day = local_of(at, zone).date()
                if not self.is_closed(day):
                    asked = at
                    yield at
                    continue
                after = _midnight(self._walk(day, _DAY, self.is_closed), zone) - _SECOND
                going = after < asked + _LOOKED_AHEAD
                break

    def _moving(self, base: Base, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
        """Holds firings back until none can be moved before them any more."""
        held: list[datetime] = []
        moved: set[datetime] = set()
        for at in base(self._since(zone, after)):
            bound = self._bound(at, zone)
            while held and held[0] < bound:
                moved.discard(held[0])
                yield heapq.heappop(held)
            target = self._target(at, zone)
            if target > after and target not in moved:
                heapq.heappush(held, target)
                moved.add(target)
                if len(held) > _MOST_MOVED:
                    raise ValueInvalid(
                        f"calendar.then: more than {_MOST_MOVED:,} firings would move at once; "
                        "use skip, or fire less often"
                    )
        while held:
            yield heapq.heappop(held)

    def _since(self, zone: ZoneInfo, after: datetime) -> datetime:
        """From when on a firing may be moved to somewhere after *after*."""
        if self.then == "previous":
            return after
        day = local_of(after, zone).date()
        first = self._walk(day - _DAY, -_DAY, lambda d: not self.is_working(d)) + _DAY
        return min(after, _midnight(first, zone) - _SECOND)

    def _bound(self, at: datetime, zone: ZoneInfo) -> datetime:
        """Nothing from *at* on is moved before this."""
        if self.then == "next":
            return at
        day = local_of(at, zone).date()
        return _midnight(self._walk(day, -_DAY, lambda d: not self.is_working(d)), zone)

    def _target(self, at: datetime, zone: ZoneInfo) -> datetime:
        local = local_of(at, zone)
        if not self.is_closed(local.date()):
            return at
        step = _DAY if self.then == "next" else -_DAY
        day = self._walk(local.date(), step, lambda d: not self.is_working(d))
        return instant_of(datetime.combine(day, local.time()), zone)

    @staticmethod
    def _walk(day: date, step: timedelta, while_: Callable[[date], bool]) -> date:
        """The first day from *day* on, by *step*, that is not so."""
        while while_(day):
            day += step
        return day


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return instant_of(datetime.combine(day, time()), zone).astimezone(UTC)
