"""Recurrence rules: RFC 5545's own examples, python-dateutil as a second reading, and limits."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from itertools import islice

import pytest
from dateutil.rrule import rrulestr
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from drawloom.errors import ValueInvalid
from drawloom.triggers import Schedule, next_firings
from drawloom.triggers.recurrence import occurrences
from drawloom.triggers.rrule import Freq, rule_of

START = datetime(1997, 9, 2, 9)


def days(rule: str, start: datetime = START, count: int = 6) -> list[str]:
    return [f"{at:%m-%d %H:%M}" for at in islice(occurrences(rule_of(rule), start, start), count)]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [  # section 3.8.5.3
        ("RRULE:FREQ=DAILY;COUNT=2", "09-02 09:00, 09-03 09:00"),
        ("FREQ=WEEKLY;INTERVAL=2;COUNT=4;WKST=SU;BYDAY=TU,TH", "09-02 09:00, 09-04 09:00, 09-16 09:00, 09-18 09:00"),
        ("FREQ=MONTHLY;COUNT=3;BYDAY=1FR", "09-05 09:00, 10-03 09:00, 11-07 09:00"),
        ("FREQ=MONTHLY;BYMONTHDAY=-3", "09-28 09:00, 10-29 09:00, 11-28 09:00, 12-29 09:00, 01-29 09:00, 02-26 09:00"),
        ("FREQ=YEARLY;INTERVAL=3;COUNT=4;BYYEARDAY=1,100,200", "01-01 09:00, 04-09 09:00, 07-18 09:00, 01-01 09:00"),
        ("FREQ=YEARLY;BYDAY=20MO;COUNT=3", "05-18 09:00, 05-17 09:00, 05-15 09:00"),
        ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO;COUNT=3", "05-11 09:00, 05-17 09:00, 05-15 09:00"),
        ("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13;COUNT=3", "02-13 09:00, 03-13 09:00, 11-13 09:00"),
        ("FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "09-04 09:00, 10-07 09:00, 11-06 09:00"),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2;COUNT=2", "09-29 09:00, 10-30 09:00"),
        ("FREQ=MINUTELY;INTERVAL=90;COUNT=3", "09-02 09:00, 09-02 10:30, 09-02 12:00"),
        ("FREQ=DAILY;BYHOUR=9,10;BYMINUTE=0,40;COUNT=3", "09-02 09:00, 09-02 09:40, 09-02 10:00"),
    ],
)  # fmt: skip
def test_the_examples_of_the_rfc(rule: str, expected: str) -> None:
    assert ", ".join(days(rule)) == expected


def test_the_weeks_begin_where_the_rule_says() -> None:
    start = datetime(1997, 8, 5, 9)
    rule = "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST="
    assert [at[:5] for at in days(rule + "MO", start)] == ["08-05", "08-10", "08-19", "08-24"]
    assert [at[:5] for at in days(rule + "SU", start)] == ["08-05", "08-17", "08-19", "08-31"]


def test_until_is_included_in_each_of_its_forms() -> None:
    for until in ("20260331T070000Z", "20260331T090000", "20260331"):
        schedule = Schedule(
            rrule=f"FREQ=DAILY;UNTIL={until}",
            zone="Europe/Berlin",
            start=datetime(2026, 3, 28, 8, tzinfo=UTC),
        )
        found = next_firings(schedule, datetime(2026, 1, 1, tzinfo=UTC), 10)
        # The clock was put forward on the 29th, and it is still nine.
        assert [f.at.isoformat()[5:16] for f in found] == [
            "03-28T08:00", "03-29T07:00", "03-30T07:00", "03-31T07:00",
        ]  # fmt: skip


def test_local_times_where_the_clock_jumps() -> None:
    spring = Schedule(
        rrule="FREQ=DAILY;COUNT=2",
        zone="Europe/Berlin",
        start=datetime(2026, 3, 28, 1, 30, tzinfo=UTC),
    )
    found = next_firings(spring, datetime(2026, 1, 1, tzinfo=UTC), 5)
    assert [f.at.isoformat()[5:16] for f in found] == ["03-28T01:30", "03-29T01:00"]
    autumn = Schedule(
        rrule="FREQ=HOURLY", zone="Europe/Berlin", start=datetime(2026, 10, 24, 23, tzinfo=UTC)
    )
    found = next_firings(autumn, datetime(2026, 10, 24, tzinfo=UTC), 4)
    hours = [f.at.isoformat()[11:16] for f in found]
    assert hours == ["23:00", "00:00", "02:00", "03:00"]  # a rule counts hours of the local clock


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("FREQ=FORTNIGHTLY", "FREQ is FORTNIGHTLY; it is one of YEARLY"),
        ("INTERVAL=2", "FREQ is missing"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20300101", "COUNT and UNTIL exclude each other"),
        ("FREQ=DAILY;COUNT=10001", "COUNT is 10001; it is 1 to 10,000"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL is 0; it is 1 to 10,000"),
        ("FREQ=DAILY;BYHOUR=24", "BYHOUR is 24; it is 0 to 23"),
        ("FREQ=MONTHLY;BYMONTHDAY=32", "BYMONTHDAY is 32; it is 1 to 31, or -31 to -1"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY is 0"),
        ("FREQ=WEEKLY;BYMONTHDAY=1", "BYMONTHDAY is not for FREQ=WEEKLY"),
        ("FREQ=MONTHLY;BYWEEKNO=1", "BYWEEKNO is for FREQ=YEARLY"),
        ("FREQ=DAILY;BYDAY=1MO", "BYDAY with a number is for FREQ=MONTHLY and YEARLY"),
        ("FREQ=DAILY;FREQ=DAILY", "FREQ is there twice"),
        ("FREQ=DAILY;BYEASTER=1", "'BYEASTER=1' is no part of a rule"),
        ("FREQ=SECONDLY;BYSECOND=1;BYSETPOS=2", "BYSETPOS is 2, but one period has 1"),
        ("FREQ=DAILY;BYSETPOS=1", "BYSETPOS needs another BY part"),
        ("FREQ=DAILY;UNTIL=tomorrow", "UNTIL is TOMORROW; write it like"),
        ("X" * 2000, "2000 characters"),
    ],
)
def test_an_error_names_the_part(rule: str, message: str) -> None:
    with pytest.raises(ValueInvalid, match=f"^{re.escape('rrule: ' + message)}"):
        rule_of(rule)


def test_a_rule_needs_a_start() -> None:
    with pytest.raises(ValueInvalid, match="start: a rrule needs one"):
        Schedule(rrule="FREQ=DAILY")


def some(*values: object) -> st.SearchStrategy[str]:
    texts = [str(value) for value in values]
    return st.lists(st.sampled_from(texts), min_size=1, max_size=4, unique=True).map(",".join)


PARTS = {
    "INTERVAL": st.integers(1, 40).map(str),
    "COUNT": st.integers(1, 30).map(str),
    "WKST": st.sampled_from(["MO", "SU", "TH"]),
    "BYMONTH": some(*range(1, 13)),
    "BYMONTHDAY": some(1, 13, 28, 29, 30, 31, -1, -7, -31),
    "BYYEARDAY": some(1, 59, 60, 200, 366, -1, -366),
    "BYWEEKNO": some(1, 2, 20, 40, 52, 53, -1, -10, -53),
    "BYDAY": some("MO", "TU", "FR", "SU", "1MO", "-1FR", "2SU", "5WE"),
    "BYHOUR": some(0, 3, 9, 23),
    "BYMINUTE": some(0, 15, 59),
    "BYSECOND": some(0, 30),
    "BYSETPOS": some(1, 2, -1, -3),
}


@st.composite
def rules(draw: st.DrawFn) -> str:
    """Any rule of the grammar, wise or not."""
    freq = draw(
        st.sampled_from(["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"])
    )
    names = draw(st.lists(st.sampled_from(sorted(PARTS)), unique=True, max_size=5))
    return ";".join([f"FREQ={freq}", *(f"{name}={draw(PARTS[name])}" for name in names)])


STARTS = st.datetimes(datetime(1999, 1, 1), datetime(2005, 1, 1)).map(
    lambda d: d.replace(microsecond=0)
)


@settings(
    deadline=None,
    max_examples=100,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
@given(rules(), STARTS, st.timedeltas(timedelta(0), timedelta(days=2000)))
def test_it_gives_what_dateutil_gives(text: str, start: datetime, later: timedelta) -> None:
    try:
        rule = rule_of(text)
        later = later if rule.freq < Freq.HOURLY else later / 1000
        found = list(islice(occurrences(rule, start, start + later), 5))
    except ValueInvalid:
        assume(False)
    # The weekday of a rule by weeks alone comes from the start (RFC 5545); dateutil takes all.
    assume(not rule.byweekno or rule.byday or rule.bymonthday or rule.byyearday)
    # Dateutil takes the first of January 2011 for week 53 of 2010, which has 52 (ISO 8601).
    assume(not {1, 52, 53, -1, -53} & set(rule.byweekno))
    # Dateutil wants a day to be both, where some days have a number and some have none.
    assume(len({number == 0 for _, number in rule.byday}) < 2)
    # Dateutil goes through every minute from the start on, and to 9999 where there is nothing.
    assume(rule.freq < Freq.MINUTELY)
    if found:
        if "WKST" not in text:
            text += ";WKST=MO"
        theirs = rrulestr(text, dtstart=start)
        expected = islice((at for at in theirs if at >= start + later), len(found))
        assert found == list(expected)


@given(st.dates(date(1980, 1, 1), date(2060, 1, 1)), st.sampled_from([1, 52, 53, -1, -52, -53]))
def test_weeks_are_those_of_iso_8601(day: date, number: int) -> None:
    year, week, weekday = day.isocalendar()
    weeks = date(year, 12, 28).isocalendar().week
    name = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"][weekday - 1]
    rule = rule_of(f"FREQ=YEARLY;BYWEEKNO={number};BYDAY={name}")
    start = datetime.combine(day, datetime.min.time())
    fires = next(occurrences(rule, start, start)) == start
    assert fires == (number in (week, week - weeks - 1))


@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(rules(), STARTS)
def test_no_rule_costs_without_limit(text: str, start: datetime) -> None:
    """Whatever is written, it is answered, or refused, after a bounded number of steps."""
    try:
        list(islice(occurrences(rule_of(text), start, start + timedelta(days=9000)), 3))
    except ValueInvalid as exc:
        assert str(exc).startswith("rrule: ")


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=WEEKLY;BYMONTH=2;BYDAY=MO;BYSETPOS=5",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=SECONDLY;INTERVAL=2;BYSECOND=1",
        "FREQ=MINUTELY;INTERVAL=1440;BYHOUR=3",
        "FREQ=YEARLY;COUNT=10000;BYWEEKNO=53;BYDAY=MO;BYMONTH=6",
    ],
)
def test_a_rule_that_never_matches_is_refused(rule: str) -> None:
    with pytest.raises(ValueInvalid, match=r"rrule: (nothing found|COUNT)"):
        list(islice(occurrences(rule_of(rule), datetime(2026, 1, 1), datetime(2026, 1, 1)), 1))
