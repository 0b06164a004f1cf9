"""A schedule as a document (YAML or JSON) to a `Schedule`; each error names its field."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from difflib import get_close_matches
from typing import Any, Final, get_args

from drawloom.dataflow.durations import seconds
from drawloom.errors import ValueInvalid
from drawloom.triggers.calendars import MOST_DAYS, Calendar, Then
from drawloom.triggers.local_time import instant_of, zone_of
from drawloom.triggers.schedule import Misfire, MisfirePolicy, Overlap, OverlapPolicy, Schedule

# Two of them and an instant are a start key, which has at most 200 characters.
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9_.-]{0,78}[a-z0-9])?")
_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FIELDS: Final = (
    *("schedule", "cron", "every", "rrule", "zone", "start", "end", "anchor"),
    *("calendar", "calendars", "misfire", "overlap"),
)


def schedule_of(document: Any) -> Schedule:
    """The schedule that a document says. Raises `ValueInvalid`, which names the field."""
    given = _mapping("", document, _FIELDS)
    zone = _text("zone", given.get("zone", "UTC"))
    zone_of(zone)
    return Schedule(
        cron=_optional(_text, "cron", given),
        every=_optional(_duration, "every", given),
        rrule=_optional(_text, "rrule", given),
        zone=zone,
        start=_instant("start", given, zone),
        end=_instant("end", given, zone, whole_day=True),
        anchor=_instant("anchor", given, zone),
        calendar=_calendar(given),
        misfire=_misfire(given.get("misfire", {})),
        overlap=_overlap(given.get("overlap", {})),
        name=name_of(given.get("schedule", "schedule"), "schedule"),
    )


def name_of(value: Any, field: str) -> str:
    """A name, as chains have it. Raises `ValueInvalid`."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueInvalid(
            f"{field}: {_shown(value)} is no name; it has 1 to 80 of a-z, 0-9, - _ and ."
        )
    return value


def _calendar(given: Mapping[str, Any]) -> Calendar | None:
    named = {
        name_of(name, "calendars"): _list(f"calendars.{name}", items)
        for name, items in _mapping("calendars", given.get("calendars", {})).items()
    }
    if "calendar" not in given:
        for name, items in named.items():
            _days_of(f"calendars.{name}", items)
        return None
    about = _mapping("calendar", given["calendar"], ("closed", "then", "weekend"))
    days: set[date] = set()
    weekdays: set[int] = set()
    for item in _list("calendar.closed", about.get("closed")):
        if isinstance(item, str) and item in named:
            days |= _days_of(f"calendars.{item}", named[item])
        elif isinstance(item, str) and item.lower() in _WEEKDAYS:
            weekdays.add(_WEEKDAYS.index(item.lower()))
        else:
            days |= _days_of("calendar.closed", [item])
    weekend = _list("calendar.weekend", about.get("weekend", ["sat", "sun"]))
    then = _choice("calendar.then", about.get("then", "skip"), get_args(Then))
    off = frozenset(_weekday("calendar.weekend", day) for day in weekend)
    return Calendar(frozenset(days), frozenset(weekdays), then, off)


def _weekday(field: str, value: Any) -> int:
    return _WEEKDAYS.index(_choice(field, value, _WEEKDAYS))


def _days_of(field: str, items: list[Any]) -> set[date]:
    days: set[date] = set()
    for item in items:
        days.update(_days(field, item))
        if len(days) > MOST_DAYS:
            raise ValueInvalid(f"{field}: more than {MOST_DAYS:,} days")
    return days


def _days(field: str, item: Any) -> Iterator[date]:
    """The days of `2026-12-24` or of `2026-12-24/2027-01-01`, both ends included."""
    try:
        first, _, last = str(item).partition("/")
        begin = date.fromisoformat(first)
        count = (date.fromisoformat(last) - begin).days + 1 if last else 1
    except ValueError:
        raise ValueInvalid(
            f"{field}: {_shown(item)} is no day; write 2026-12-24, 2026-12-24/2027-01-01, "
            "mon to sun, or the name of one of `calendars`"
        ) from None
    if not 1 <= count <= MOST_DAYS:
        raise ValueInvalid(f"{field}: {item} is not a range of 1 to {MOST_DAYS:,} days")
    return (begin + timedelta(number) for number in range(count))


def _misfire(value: Any) -> Misfire:
    given = _policy("misfire", value, ("policy", "limit", "grace"))
    policy: MisfirePolicy = _choice(
        "misfire.policy", given.get("policy", "run_once"), get_args(MisfirePolicy)
    )
    limit = _limit("misfire.limit", given.get("limit", Misfire().limit))
    if "grace" not in given:
        return Misfire(policy, limit)
    return Misfire(policy, limit, _duration("misfire.grace", given["grace"]))


def _overlap(value: Any) -> Overlap:
    given = _policy("overlap", value, ("policy", "limit"))
    policy: OverlapPolicy = _choice(
        "overlap.policy", given.get("policy", "skip"), get_args(OverlapPolicy)
    )
    return Overlap(policy, _limit("overlap.limit", given.get("limit", Overlap().limit)))


def _policy(field: str, value: Any, fields: tuple[str, ...]) -> Mapping[str, Any]:
    """A policy by its name alone, or with its settings."""
    return {"policy": value} if isinstance(value, str) else _mapping(field, value, fields)


def _instant(
    field: str, given: Mapping[str, Any], zone: str, whole_day: bool = False
) -> datetime | None:
    value = given.get(field)
    return None if value is None else instant_in(field, value, zone, whole_day)


def instant_in(field: str, value: Any, zone: str, whole_day: bool = False) -> datetime:
    """A date, a local time of the zone, or one with an offset; a *whole_day* is its end.

    Raises `ValueInvalid`.
    """
    try:
        text = _text(field, value)
        if len(text) == 10:
            day = date.fromisoformat(text) + timedelta(days=whole_day)
            return instant_of(datetime.combine(day, time()), zone_of(zone))
        read = datetime.fromisoformat(text)
        return read if read.tzinfo is not None else instant_of(read, zone_of(zone))
    except (ValueError, OverflowError):
        raise ValueInvalid(
            f"{field}: {_shown(value)} is no time; write 2026-12-24, 2026-12-24T09:00:00 "
            "(local time of the zone) or 2026-12-24T09:00:00+01:00"
        ) from None


def _duration(field: str, value: Any) -> timedelta:
    try:
        return timedelta(seconds=seconds(value))
    except (ValueError, OverflowError) as exc:
        raise ValueInvalid(f"{field}: {exc}") from None


def _optional(read: Callable[[str, Any], Any], field: str, given: Mapping[str, Any]) -> Any:
    return read(field, given[field]) if given.get(field) is not None else None


def _text(field: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueInvalid(f"{field}: {_shown(value)} is not text")
    return value


def _limit(field: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueInvalid(f"{field}: {_shown(value)} is no whole number")
    return value


def _list(field: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueInvalid(f"{field}: {_shown(value)} is no list")
    return value


def _choice(field: str, value: Any, allowed: tuple[str, ...]) -> Any:
    if value not in allowed:
        raise ValueInvalid(f"{field}: {_shown(value)} is not one of {', '.join(allowed)}")
    return value


def _mapping(field: str, value: Any, known: tuple[str, ...] | None = None) -> Mapping[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ValueInvalid(f"{field or 'schedule'}: {_shown(value)} is no mapping of fields")
    for name in value if known is not None else ():
        if known is not None and name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"; is it {near[0]}?" if near else f"; the fields are {', '.join(known)}"
            place = f"{field}.{name}" if field else name
            raise ValueInvalid(f"{place[:80]}: there is no such field{hint}")
    return value


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "[…]"
