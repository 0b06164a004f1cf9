"""Dates and times: RFC 3339 and ISO 8601 texts, counted as PostgreSQL counts them.

The driver's tuple format gives what the server holds: days or microseconds
since 2000-01-01, and months, days and microseconds of an interval, none of which
Python's own types keep in full.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from drawloom.errors import ValueInvalid
from drawloom.sdk import Json
from drawloom.sdk.encoding import encode_value

_EPOCH_DAY = date(2000, 1, 1)
_EPOCH = datetime(2000, 1, 1)
_MICROSECOND = timedelta(microseconds=1)
_WHOLE_DAY = 86_400_000_000

_DATE = r"(\d{4})-(\d\d)-(\d\d)"
_TIME = r"(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?"
_OFFSET = r"([Zz]|[-+]\d\d:\d\d)"
_A_DATE = re.compile(_DATE)
_A_TIME = re.compile(_TIME)
_A_TIMETZ = re.compile(_TIME + _OFFSET)
_A_TIMESTAMP = re.compile(f"{_DATE}(?:[Tt ]{_TIME})?")
_A_TIMESTAMPTZ = re.compile(f"{_DATE}[Tt ]{_TIME}{_OFFSET}")

_LAST = {32: 2**31 - 1, 64: 2**63 - 1}
_FIRST = {32: -(2**31), 64: -(2**63)}


_UNSAYABLE = "a time outside the years 1 to 9999 has no RFC 3339 form; cast it to text"


def _match(pattern: re.Pattern[str], value: Json, like: str) -> tuple[str, ...]:
    found = pattern.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"expected a text like {like}")
    return found.groups(default="")


def _infinite(value: Json, bits: int) -> tuple[int] | None:
    """PostgreSQL's ends of time are the ends of its counter."""
    if value == "infinity":
        return (_LAST[bits],)
    return (_FIRST[bits],) if value == "-infinity" else None


def _word(count: int, bits: int) -> str | None:
    if count == _LAST[bits]:
        return "infinity"
    return "-infinity" if count == _FIRST[bits] else None


def _clock(hour: str, minute: str, second: str, fraction: str) -> int:
    """Microseconds since midnight. 24:00:00 is a time to PostgreSQL, as to ISO 8601."""
    if len(fraction.rstrip("0")) > 6:
        raise ValueError("PostgreSQL keeps microseconds; the text has more digits than six")
    micros = int(fraction[:6].ljust(6, "0"))
    hours, minutes, seconds = int(hour or 0), int(minute or 0), int(second or 0)
    total = ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + micros
    if minutes > 59 or seconds > 59 or total > _WHOLE_DAY:
        raise ValueError("there is no such time of day")
    return total


def _seconds(offset: str) -> int:
    """Seconds east of UTC."""
    if offset in "Zz":
        return 0
    hours, minutes = int(offset[1:3]), int(offset[4:])
    if hours > 15 or minutes > 59:
        raise ValueError("there is no such offset")
    return (hours * 60 + minutes) * 60 * (-1 if offset[0] == "-" else 1)


def _day(year: str, month: str, day: str) -> int:
    return (date(int(year), int(month), int(day)) - _EPOCH_DAY).days


def _date_in(value: Json) -> tuple[int]:
    return _infinite(value, 32) or (_day(*_match(_A_DATE, value, "2026-01-31")),)


def _date_out(given: tuple[int]) -> str:
    [days] = given
    return _word(days, 32) or str(_in_range(_EPOCH_DAY, timedelta(days=1), days))


def _timestamp_in(value: Json) -> tuple[int]:
    if ends := _infinite(value, 64):
        return ends
    like = "2026-01-31T10:30:00, without an offset (this type has none)"
    parts = _match(_A_TIMESTAMP, value, like)
    return (_day(*parts[:3]) * _WHOLE_DAY + _clock(*parts[3:]),)


def _timestamp_out(given: tuple[int]) -> str:
    [micros] = given
    return _word(micros, 64) or str(_in_range(_EPOCH, _MICROSECOND, micros))


def _timestamptz_in(value: Json) -> tuple[int]:
    if ends := _infinite(value, 64):
        return ends
    like = "2026-01-31T10:30:00+01:00, with an offset or Z (RFC 3339)"
    *parts, offset = _match(_A_TIMESTAMPTZ, value, like)
    clock = _clock(*parts[3:]) - _seconds(offset) * 1_000_000
    return (_day(*parts[:3]) * _WHOLE_DAY + clock,)


def _timestamptz_out(given: tuple[int]) -> str:
    [micros] = given
    return _word(micros, 64) or str(_in_range(_EPOCH.replace(tzinfo=UTC), _MICROSECOND, micros))


def _in_range(epoch: Any, unit: timedelta, count: int) -> Json:
    try:
        return encode_value(epoch + unit * count)
    except OverflowError:
        raise ValueInvalid(_UNSAYABLE) from None


def _time_in(value: Json) -> tuple[int]:
    return (_clock(*_match(_A_TIME, value, "10:30:00")),)


def _time_out(given: tuple[int]) -> str:
    seconds, micros = divmod(given[0], 1_000_000)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{text}.{micros:06}" if micros else text


def _timetz_in(value: Json) -> tuple[int, int]:
    *clock, offset = _match(_A_TIMETZ, value, "10:30:00+01:00")
    return _clock(*clock), -_seconds(offset)  # the server counts seconds west


def _timetz_out(given: tuple[int, int]) -> str:
    micros, west = given
    sign, minutes = ("-", west // 60) if west > 0 else ("+", -west // 60)
    if west % 60:
        raise ValueInvalid("an offset with seconds has no RFC 3339 form; cast it to text")
    return f"{_time_out((micros,))}{sign}{minutes // 60:02}:{minutes % 60:02}"


_INTERVAL = re.compile(
    r"([-+]?)P(?=.)(?:(-?\d+)Y)?(?:(-?\d+)M)?(?:(-?\d+)W)?(?:(-?\d+)D)?"
    r"(?:T(?=.)(?:(-?\d+)H)?(?:(-?\d+)M)?(?:(-?)(\d+)(?:\.(\d{1,6}))?S)?)?"
)


# PostgreSQL 17 and later: each part at its end.
_ENDLESS = {
    "infinity": (_LAST[32], _LAST[32], _LAST[64]),
    "-infinity": (_FIRST[32], _FIRST[32], _FIRST[64]),
}


def _interval_in(value: Json) -> tuple[int, int, int]:
    if isinstance(value, str) and value in _ENDLESS:
        return _ENDLESS[value]
    like = "P1Y2M3DT4H5M6.5S (ISO 8601)"
    sign, *parts, minus, second, fraction = _match(_INTERVAL, value, like)
    years, months, weeks, days, hours, minutes = (int(part or 0) for part in parts)
    micros = int(second or 0) * 1_000_000 + int(fraction.ljust(6, "0"))
    clock = (hours * 60 + minutes) * 60_000_000 + (-micros if minus else micros)
    whole = (years * 12 + months, weeks * 7 + days, clock)
    if sign == "-":
        return -whole[0], -whole[1], -whole[2]
    return whole


def _interval_out(given: tuple[int, int, int]) -> str:
    """Months, days and time stay apart, as 1 month is no number of days."""
    for word, parts in _ENDLESS.items():
        if given == parts:
            return word
    if all(part <= 0 for part in given) and any(given):
        return "-" + _interval_out((-given[0], -given[1], -given[2]))
    months, days, micros = given
    calendar = _part(_quotient(months, 12), "Y") + _part(_remainder(months, 12), "M")
    clock = _part(_quotient(micros, 3_600_000_000), "H")
    clock += _part(_quotient(_remainder(micros, 3_600_000_000), 60_000_000), "M")
    clock += _rest(_remainder(micros, 60_000_000))
    calendar += _part(days, "D")
    if not calendar and not clock:
        return "PT0S"
    return f"P{calendar}" + (f"T{clock}" if clock else "")


def _rest(micros: int) -> str:
    if not micros:
        return ""
    seconds, fraction = divmod(abs(micros), 1_000_000)
    text = f"{seconds}.{fraction:06}".rstrip("0").rstrip(".") if fraction else str(seconds)
    return f"{'-' if micros < 0 else ''}{text}S"


def _part(count: int, unit: str) -> str:
    return f"{count}{unit}" if count else ""


def _quotient(count: int, by: int) -> int:
    """Towards zero, so that both parts of a negative number are negative."""
    return count // by if count >= 0 else -(-count // by)


def _remainder(count: int, by: int) -> int:
    return count - by * _quotient(count, by)


CODECS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Json]]] = {
    "date": (_date_in, _date_out),
    "time": (_time_in, _time_out),
    "timetz": (_timetz_in, _timetz_out),
    "timestamp": (_timestamp_in, _timestamp_out),
    "timestamptz": (_timestamptz_in, _timestamptz_out),
    "interval": (_interval_in, _interval_out),
}
