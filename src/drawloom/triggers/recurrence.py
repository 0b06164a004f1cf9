"""What a recurrence rule gives, in local time, by the table of RFC 5545, section 3.3.10.

It goes straight to the period that is asked for, however long ago the rule began, and
counts what it looks at. A rule that never matches is therefore an error after
200,000 days or moments, where a library would go on to the year 9999.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Final

from drawloom.errors import ValueInvalid
from drawloom.triggers.rrule import Freq, Rule

_LAST_YEAR: Final = 9899
_IN_A_ROW: Final = 200_000  # days or moments looked at between two that match
_ALTOGETHER: Final = 1_000_000
_DAY: Final = 86_400  # seconds
_UNITS: Final = {Freq.HOURLY: 3600, Freq.MINUTELY: 60, Freq.SECONDLY: 1}


class _Steps:
    """Counts what is looked at, and stops it."""

    __slots__ = ("altogether", "in_a_row")

    def __init__(self) -> None:
        self.in_a_row = self.altogether = 0

    def more(self, count: int) -> None:
        self.in_a_row += count
        self.altogether += count
        if self.in_a_row > _IN_A_ROW:
            raise ValueInvalid(
                f"rrule: nothing found among {_IN_A_ROW:,} days and moments; "
                "can the rule ever match?"
            )
        if self.altogether > _ALTOGETHER:
            raise ValueInvalid("rrule: COUNT goes over too long a time; use UNTIL")


def occurrences(rule: Rule, start: datetime, after: datetime) -> Iterator[datetime]:
    """The local times from *after* on (rising), of a rule that began at *start*.

    All are naive, in whole seconds. A start that the rule does not match is none of
    them. UNTIL is not looked at. Raises `ValueInvalid` for a rule that gives nothing.
    """
    rule, start = rule.begun(start), start.replace(microsecond=0)
    steps, counted = _Steps(), 0
    begin = start if rule.count is not None else max(start, after)
    moments = _slow if rule.freq < Freq.HOURLY else _fast
    for moment in moments(rule, start, begin, steps):
        steps.in_a_row = 0
        if moment < start:
            continue
        counted += 1
        if rule.count is not None and counted > rule.count:
            return
        if moment >= after:
            if rule.count is None:
                steps.altogether = 0
            yield moment


def _slow(rule: Rule, start: datetime, begin: datetime, steps: _Steps) -> Iterator[datetime]:
    """Periods of whole days, and the same times in each day."""
    times = [
        timedelta(hours=hour, minutes=minute, seconds=second)
        for hour in rule.byhour
        for minute in rule.byminute
        for second in rule.bysecond
    ]
    for period in _periods(rule, start.date(), begin.date()):
        steps.more(len(period) or 1)
        days = [datetime.combine(day, datetime.min.time()) for day in period if _has(rule, day)]
        if rule.bysetpos:
            yield from _chosen(rule.bysetpos, days, times)
        else:
            yield from (day + time for day in days for time in times)


def _chosen(
    positions: Sequence[int], days: Sequence[datetime], times: Sequence[timedelta]
) -> list[datetime]:
    """Those of a period that BYSETPOS names, counted from 1, or from the end."""
    size = len(days) * len(times)
    places = {p - 1 if p > 0 else size + p for p in positions if abs(p) <= size}
    return [days[p // len(times)] + times[p % len(times)] for p in sorted(places)]


def _periods(rule: Rule, start: date, begin: date) -> Iterator[list[date]]:
    """The days of each period, from that which holds *begin* on."""
    match rule.freq:
        case Freq.YEARLY:
            for year in _from(start.year, begin.year, rule.interval, _LAST_YEAR):
                months = rule.bymonth or range(1, 13)
                yield [day for month in months for day in _month(year, month)]
        case Freq.MONTHLY:
            first, now = start.year * 12 + start.month - 1, begin.year * 12 + begin.month - 1
            for number in _from(first, now, rule.interval, _LAST_YEAR * 12):
                month = number % 12 + 1
                fits = not rule.bymonth or month in rule.bymonth
                yield _month(number // 12, month) if fits else []
        case Freq.WEEKLY:
            first = start.toordinal() - (start.weekday() - rule.wkst) % 7
            last = date(_LAST_YEAR, 1, 1).toordinal()
            for number in _from(first, begin.toordinal(), 7 * rule.interval, last):
                yield [date.fromordinal(number + day) for day in range(7)]
        case _:
            last = date(_LAST_YEAR, 1, 1).toordinal()
            for number in _from(start.toordinal(), begin.toordinal(), rule.interval, last):
                yield [date.fromordinal(number)]


def _from(first: int, now: int, interval: int, last: int) -> range:
    """Every *interval*-th number from *first*, beginning with the last that is not after *now*."""
    return range(first + max(0, now - first) // interval * interval, last + 1, interval)


def _month(year: int, month: int) -> list[date]:
    days = calendar.monthrange(year, month)[1]
    return [date(year, month, day) for day in range(1, days + 1)]


def _fast(rule: Rule, start: datetime, begin: datetime, steps: _Steps) -> Iterator[datetime]:
    """Periods within a day. What cannot match is jumped over: a day, an hour, a minute."""
    unit = _UNITS[rule.freq]
    step = unit * rule.interval
    base = _seconds(start) // unit * unit
    within = _within(rule)
    moment = base + max(0, _seconds(begin) - base) // step * step
    last = date(_LAST_YEAR, 1, 1).toordinal() * _DAY
    while moment < last:
        steps.more(1)
        if jump := _jump(rule, moment):
            moment = base - (base - (moment // jump + 1) * jump) // step * step
            continue
        day = datetime.fromordinal(moment // _DAY)
        yield from (day + timedelta(seconds=moment % _DAY + second) for second in within)
        moment += step


def _jump(rule: Rule, moment: int) -> int:
    """0 if a period matches; else how long the time is, in seconds, that cannot match."""
    if not _has(rule, date.fromordinal(moment // _DAY)):
        return _DAY
    if rule.byhour and moment // 3600 % 24 not in rule.byhour:
        return 3600
    if rule.freq > Freq.HOURLY and rule.byminute and moment // 60 % 60 not in rule.byminute:
        return 60
    if rule.freq > Freq.MINUTELY and rule.bysecond and moment % 60 not in rule.bysecond:
        return 1
    return 0


def _within(rule: Rule) -> list[int]:
    """The seconds of a period at which it fires."""
    seconds = rule.bysecond if rule.freq < Freq.SECONDLY else (0,)
    minutes = rule.byminute if rule.freq < Freq.MINUTELY else (0,)
    found = sorted(60 * minute + second for minute in minutes for second in seconds)
    if not rule.bysetpos:
        return found
    places = {p - 1 if p > 0 else len(found) + p for p in rule.bysetpos}
    return [found[place] for place in sorted(places)]


def _seconds(local: datetime) -> int:
    midnight = local.toordinal() * _DAY
    return midnight + local.hour * 3600 + local.minute * 60 + local.second


def _has(rule: Rule, day: date) -> bool:
    """Whether a day meets every BY part that speaks of days."""
    if rule.bymonth and day.month not in rule.bymonth:
        return False
    if rule.bymonthday and not _has_monthday(rule, day):
        return False
    if rule.byday and not any(_is_weekday(rule, day, *wanted) for wanted in rule.byday):
        return False
    if rule.byyearday and not _has_yearday(rule, day):
        return False
    return not rule.byweekno or _has_week(rule, day)


def _has_monthday(rule: Rule, day: date) -> bool:
    if day.day in rule.bymonthday:
        return True
    return day.day - calendar.monthrange(day.year, day.month)[1] - 1 in rule.bymonthday


def _has_yearday(rule: Rule, day: date) -> bool:
    number = day.toordinal() - date(day.year, 1, 1).toordinal() + 1
    length = 366 if calendar.isleap(day.year) else 365
    return number in rule.byyearday or number - length - 1 in rule.byyearday


def _is_weekday(rule: Rule, day: date, weekday: int, number: int) -> bool:
    """Whether it is that weekday; with a number, the one of that number in its month or year."""
    if day.weekday() != weekday:
        return False
    if number == 0:
        return True
    if rule.freq is Freq.YEARLY and not rule.bymonth:
        place = day.toordinal() - date(day.year, 1, 1).toordinal()
        length = 366 if calendar.isleap(day.year) else 365
    else:
        place, length = day.day - 1, calendar.monthrange(day.year, day.month)[1]
    return number in (place // 7 + 1, -((length - 1 - place) // 7 + 1))


def _has_week(rule: Rule, day: date) -> bool:
    """By the week's number; the first of a year is the first with four of its days."""
    year = (day + timedelta(3 - (day.weekday() - rule.wkst) % 7)).year
    first, following = _first_week(year, rule.wkst), _first_week(year + 1, rule.wkst)
    number = (day.toordinal() - first) // 7 + 1
    return number in rule.byweekno or number - (following - first) // 7 - 1 in rule.byweekno


def _first_week(year: int, wkst: int) -> int:
    """The ordinal of the day with which the first week of a year begins."""
    fourth = date(year, 1, 4)
    return fourth.toordinal() - (fourth.weekday() - wkst) % 7
