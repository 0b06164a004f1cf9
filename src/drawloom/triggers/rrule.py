"""The text of a recurrence rule (RFC 5545, section 3.3.10) to a `Rule`, strictly and within limits.

Beyond the RFC: a second of 60 is refused (a leap second is no time to start at), and
so is what would only cost: a COUNT over 10,000, an INTERVAL over 10,000, more than 1,440
times in one day.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import IntEnum
from functools import lru_cache
from typing import Any, Final

from drawloom.errors import ValueInvalid

_LONGEST: Final = 1024  # characters
_MOST: Final = 10_000  # of COUNT and INTERVAL
_MOST_TIMES: Final = 1_440
_WEEKDAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_UNTIL: Final = {8: "%Y%m%d", 15: "%Y%m%dT%H%M%S", 16: "%Y%m%dT%H%M%SZ"}


class Freq(IntEnum):
    """How long a period is, the longest first."""

    YEARLY = 0
    MONTHLY = 1
    WEEKLY = 2
    DAILY = 3
    HOURLY = 4
    MINUTELY = 5
    SECONDLY = 6


@dataclass(frozen=True, slots=True)
class Rule:
    """A recurrence rule. Weekdays are 0 (Monday) to 6; those of `byday` have a number, or 0."""

    freq: Freq
    interval: int = 1
    count: int | None = None
    until: datetime | date | None = None
    wkst: int = 0
    bysecond: tuple[int, ...] = ()
    byminute: tuple[int, ...] = ()
    byhour: tuple[int, ...] = ()
    byday: tuple[tuple[int, int], ...] = ()
    bymonthday: tuple[int, ...] = ()
    byyearday: tuple[int, ...] = ()
    byweekno: tuple[int, ...] = ()
    bymonth: tuple[int, ...] = ()
    bysetpos: tuple[int, ...] = ()

    def begun(self, start: datetime) -> Rule:
        """The rule with what it leaves open taken from its *start*, a local time (DTSTART)."""
        filled: dict[str, Any] = {}
        if self.freq < Freq.HOURLY and not self.byhour:
            filled["byhour"] = (start.hour,)
        if self.freq < Freq.MINUTELY and not self.byminute:
            filled["byminute"] = (start.minute,)
        if self.freq < Freq.SECONDLY and not self.bysecond:
            filled["bysecond"] = (start.second,)
        if not (self.byday or self.bymonthday or self.byyearday):
            filled |= self._day_of(start)
        return replace(self, **filled)

    def _day_of(self, start: datetime) -> dict[str, Any]:
        if self.freq is Freq.WEEKLY or self.byweekno:
            return {"byday": ((start.weekday(), 0),)}
        if self.freq is Freq.MONTHLY:
            return {"bymonthday": (start.day,)}
        if self.freq is Freq.YEARLY:
            return {"bymonthday": (start.day,), "bymonth": self.bymonth or (start.month,)}
        return {}


@lru_cache(maxsize=4096)
def rule_of(text: str) -> Rule:
    """The rule that *text* says, with or without `RRULE:` before it. Raises `ValueInvalid`."""
    if len(text) > _LONGEST:
        raise _wrong(f"{len(text)} characters; at most {_LONGEST} are read")
    given: dict[str, Any] = {}
    for part in text.strip().upper().removeprefix("RRULE:").rstrip(";").split(";"):
        name, _, value = part.partition("=")
        if name not in _PARTS:
            raise _wrong(f"{part[:60]!r} is no part of a rule; the parts are {', '.join(_PARTS)}")
        if name.lower() in given:
            raise _wrong(f"{name} is there twice")
        given[name.lower()] = _PARTS[name](name, value)
    if "freq" not in given:
        raise _wrong("FREQ is missing; a rule begins like FREQ=DAILY")
    rule = Rule(**given)
    _check(rule)
    return rule


def _check(rule: Rule) -> None:
    """What may not stand together (the table of section 3.3.10)."""
    freq, name = rule.freq, rule.freq.name
    numbered = any(number for _, number in rule.byday)
    refused = {
        "COUNT and UNTIL exclude each other": rule.count and rule.until,
        f"BYWEEKNO is for FREQ=YEARLY, not {name}": rule.byweekno and freq > Freq.YEARLY,
        f"BYYEARDAY is not for FREQ={name}": rule.byyearday
        and freq in (Freq.MONTHLY, Freq.WEEKLY, Freq.DAILY),
        "BYMONTHDAY is not for FREQ=WEEKLY": rule.bymonthday and freq is Freq.WEEKLY,
        f"BYDAY with a number is for FREQ=MONTHLY and YEARLY, not {name}": numbered
        and freq > Freq.MONTHLY,
        "BYDAY with a number and BYWEEKNO exclude each other": numbered and rule.byweekno,
        "BYSETPOS needs another BY part": rule.bysetpos and not _chooses(rule),
    }
    for message, is_so in refused.items():
        if is_so:
            raise _wrong(message)
    _check_sizes(rule)


def _chooses(rule: Rule) -> bool:
    times = rule.bysecond + rule.byminute + rule.byhour
    days = rule.bymonthday + rule.byyearday + rule.byweekno + rule.bymonth
    return bool(times or days or rule.byday)


def _check_sizes(rule: Rule) -> None:
    sizes = [len(part) or 1 for part in (rule.byhour, rule.byminute, rule.bysecond)]
    if rule.freq < Freq.HOURLY and sizes[0] * sizes[1] * sizes[2] > _MOST_TIMES:
        raise _wrong(
            f"{sizes[0] * sizes[1] * sizes[2]} times in one day; at most {_MOST_TIMES}: "
            "use FREQ=HOURLY, MINUTELY or SECONDLY"
        )
    if rule.freq >= Freq.HOURLY:
        size = {Freq.HOURLY: sizes[1] * sizes[2], Freq.MINUTELY: sizes[2]}.get(rule.freq, 1)
        for position in rule.bysetpos:
            if abs(position) > size:
                raise _wrong(f"BYSETPOS is {position}, but one period has {size} of them")


def _wrong(message: str) -> ValueInvalid:
    return ValueInvalid(f"rrule: {message}")


def _freq(name: str, value: str) -> Freq:
    if value not in Freq.__members__:
        raise _wrong(f"FREQ is {value[:40]}; it is one of {', '.join(Freq.__members__)}")
    return Freq[value]


def _whole(name: str, value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", value) or not 1 <= int(value) <= _MOST:
        raise _wrong(f"{name} is {value[:40] or 'empty'}; it is 1 to {_MOST:,}")
    return int(value)


def _until(name: str, value: str) -> datetime | date:
    try:
        read = datetime.strptime(value, _UNTIL[len(value)])
    except (KeyError, ValueError):
        raise _wrong(f"UNTIL is {value[:40]}; write it like 20271231T225959Z") from None
    if len(value) == 8:
        return read.date()
    return read.replace(tzinfo=UTC) if value.endswith("Z") else read


def _weekday(name: str, value: str) -> int:
    if value not in _WEEKDAYS:
        raise _wrong(f"{name} is {value[:40]}; it is one of {', '.join(_WEEKDAYS)}")
    return _WEEKDAYS.index(value)


def _byday(name: str, value: str) -> tuple[tuple[int, int], ...]:
    return tuple(dict.fromkeys(_one_day(part) for part in value.split(",")))


def _one_day(part: str) -> tuple[int, int]:
    found = re.fullmatch(rf"([+-]?[0-9]{{1,2}})?({'|'.join(_WEEKDAYS)})", part)
    if found is None or (found[1] is not None and not 1 <= abs(int(found[1])) <= 53):
        raise _wrong(f"BYDAY is {part[:40]}; days are MO to SU, such as 2MO or -1FR")
    return _WEEKDAYS.index(found[2]), int(found[1] or 0)


def _numbers(low: int, high: int, signed: bool = False) -> Callable[[str, str], tuple[int, ...]]:
    """Reads a list of numbers *low* to *high*; with *signed* also those below zero, from the end."""

    def read(name: str, value: str) -> tuple[int, ...]:
        return tuple(sorted({one(name, part) for part in value.split(",")}))

    def one(name: str, part: str) -> int:
        fits = re.fullmatch(r"[+-]?[0-9]{1,3}", part) and (signed or not part.startswith("-"))
        if not fits or not low <= abs(int(part)) <= high:
            also = f", or -{high} to -{low}" if signed else ""
            raise _wrong(f"{name} is {part[:40] or 'empty'}; it is {low} to {high}{also}")
        return int(part)

    return read


_PARTS: Final[dict[str, Callable[[str, str], Any]]] = {
    "FREQ": _freq,
    "INTERVAL": _whole,
    "COUNT": _whole,
    "UNTIL": _until,
    "WKST": _weekday,
    "BYSECOND": _numbers(0, 59),
    "BYMINUTE": _numbers(0, 59),
    "BYHOUR": _numbers(0, 23),
    "BYDAY": _byday,
    "BYMONTHDAY": _numbers(1, 31, signed=True),
    "BYYEARDAY": _numbers(1, 366, signed=True),
    "BYWEEKNO": _numbers(1, 53, signed=True),
    "BYMONTH": _numbers(1, 12),
    "BYSETPOS": _numbers(1, 366, signed=True),
}
