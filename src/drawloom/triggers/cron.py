"""Cron expressions: 5 fields, or 6 with seconds first, read by cronsim.

The language is that of crontab (POSIX.1-2017, utility `crontab`) with what
cronsim's documentation adds: names (`MON`, `JAN`), steps (`*/5`), `L` and `LW` in days,
`5L` and `MON#2` in weekdays, and seconds. Added here is `15W`, the working day (Monday
to Friday) nearest to the 15th within its month, as Quartz has it. Where neither days
nor weekdays begin with `*`, a day has to meet one of them; else both, as in Debian.

Times are those of the local clock (see `local_time`). An expression whose hours are
all 24 says no time of day, and so is an interval: it follows elapsed time, fires in
both passes of an hour that comes twice, and has nothing to make up for one that
is missing.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from drawloom.errors import ValueInvalid
from drawloom.triggers.local_time import LATEST, instant_of, local_of

_LONGEST: Final = 256  # characters
_SOME_DAY: Final = datetime(2000, 1, 1)
_NEAREST: Final = re.compile(r"([0-9]{1,2})W")
_DAY: Final = 3  # of six fields
_ALLOWED: Final = (
    "seconds are 0 to 59",
    "minutes are 0 to 59",
    "hours are 0 to 23",
    "days are 1 to 31, L (the last), LW (the last working day) or such as 15W",
    "months are 1 to 12 or JAN to DEC",
    "weekdays are 0 to 7 or SUN to SAT, such as 5L (the last Friday) or MON#2",
)


class _Expression(CronSim):
    """cronsim, and days such as `15W`."""

    def __init__(self, text: str, since: datetime) -> None:
        fields = text.upper().split()
        terms = fields[-3].split(",")
        self.nearest = {int(found[1]) for t in terms if (found := _NEAREST.fullmatch(t))}
        # The day itself stands for `15W`, so that cronsim judges it; then it is taken out.
        fields[-3] = ",".join(_NEAREST.sub(r"\1", term) for term in terms)
        super().__init__(" ".join(fields), since)
        if self.nearest:
            self.days = {d for t in terms if not _NEAREST.fullmatch(t) for d in _days(t)}

    def match_dom(self, d: date) -> bool:
        if super().match_dom(d):
            return True
        return any(_nearest(day, d.year, d.month) == d.day for day in self.nearest)


def _days(term: str) -> set[int]:
    return CronSim(f"0 0 {term} * *", _SOME_DAY).days


def _nearest(day: int, year: int, month: int) -> int | None:
    """The working day nearest to *day* of a month, within it; None if it has no such day."""
    last = calendar.monthrange(year, month)[1]
    if day > last:
        return None
    weekday = calendar.weekday(year, month, day)
    if weekday == calendar.SATURDAY:
        return day - 1 if day > 1 else 3
    if weekday == calendar.SUNDAY:
        return day + 1 if day < last else day - 2
    return day


@lru_cache(maxsize=4096)
def check_cron(text: str) -> None:
    """Raise `ValueInvalid` that names the field and says what is allowed in it."""
    if len(text) > _LONGEST:
        raise ValueInvalid(f"cron: {len(text)} characters; at most {_LONGEST} are read")
    fields = text.split()
    if len(fields) not in (5, 6):
        raise ValueInvalid(
            f"cron: {len(fields)} fields in {text!r}; there are 5: minute, hour, day, month, "
            "weekday (or 6, with seconds first)"
        )
    for number, field in enumerate(fields, 1):
        for term in field.split(","):
            _check_term(number, term, number + 5 - len(fields))
    try:
        _Expression(text, _SOME_DAY)
    except CronSimError:
        day, month = len(fields) - 2, len(fields) - 1
        raise ValueInvalid(
            f"cron: field {day} is {fields[day - 1]} and field {month} is {fields[month - 1]}; "
            "none of these months has that day"
        ) from None


def _check_term(number: int, term: str, position: int) -> None:
    """Whether one term can stand at a *position* of six (0 to 5)."""
    alone = ["*"] * 6
    alone[position] = term or ","
    try:
        _Expression(" ".join(alone), _SOME_DAY)
    except CronSimError:
        hint = "; a range goes up" if re.fullmatch(r"\w+-\w+", term) else ""
        raise ValueInvalid(
            f"cron: field {number} is {term or 'empty'}; {_ALLOWED[position]}{hint}"
        ) from None


def cron_instants(text: str, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """The instants (UTC, rising) after *after*. They end where 50 years have none."""
    for at in _found(text, zone, after):
        if at >= LATEST:
            return
        if at > after:
            yield at
            after = at


def _found(text: str, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    wall = _Expression(text, local_of(after, zone))
    if len(wall.hours) < 24:
        return (instant_of(local, zone) for local in wall)
    fields = text.split()
    fields[-4] = "*"
    elapsed = _Expression(" ".join(fields), after.astimezone(zone))
    return (at.astimezone(UTC) for at in elapsed)
