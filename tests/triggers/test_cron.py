"""Cron: the language, its errors, and what it does where the clock jumps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from drawloom.errors import ValueInvalid
from drawloom.triggers import Schedule, next_firings

BERLIN = ZoneInfo("Europe/Berlin")


def local(cron: str, since: str, count: int = 4, zone: str = "Europe/Berlin") -> list[str]:
    """The next firings by the local clock, with the offset."""
    found = next_firings(Schedule(cron=cron, zone=zone), datetime.fromisoformat(since), count)
    return [f"{f.at.astimezone(ZoneInfo(zone)):%m-%d %H:%M:%S%z}"[:-2] for f in found]


@pytest.mark.parametrize(
    ("cron", "first"),
    [
        ("0 9 * * mon-fri", "2026-03-30T09:00:00"),
        ("*/20 * * * *", "2026-03-28T00:20:00"),
        ("0 0 L * *", "2026-03-31T00:00:00"),
        ("0 0 LW 5 *", "2026-05-29T00:00:00"),
        ("0 0 15W 8 *", "2026-08-14T00:00:00"),
        ("0 0 16W 8 *", "2026-08-17T00:00:00"),
        ("0 0 1W 8 *", "2026-08-03T00:00:00"),
        ("0 0 31W 5 *", "2026-05-29T00:00:00"),
        ("0 0 31W,3 4,5 *", "2026-04-03T00:00:00"),
        ("0 0 * * mon#2", "2026-04-13T00:00:00"),
        ("0 0 * * 5L", "2026-04-24T00:00:00"),
        ("0 0 13 * fri", "2026-04-03T00:00:00"),
        ("0 0 */1 jan fri", "2027-01-01T00:00:00"),
        ("30 0 12 * * *", "2026-03-28T12:00:30"),
        ("0 0 29 2 *", "2028-02-29T00:00:00"),
    ],
)
def test_the_language(cron: str, first: str) -> None:
    since = datetime(2026, 3, 28, tzinfo=UTC)
    [firing] = next_firings(Schedule(cron=cron), since, 1)
    assert firing.at == datetime.fromisoformat(first).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "message"),
    [
        ("0 0 32 * *", "cron: field 3 is 32; days are 1 to 31"),
        ("0 0 0 32 * *", "cron: field 4 is 32; days are 1 to 31"),
        ("60 * * * *", "cron: field 1 is 60; minutes are 0 to 59"),
        ("0 24 * * *", "cron: field 2 is 24; hours are 0 to 23"),
        ("0 0 * 13 *", "cron: field 4 is 13; months are 1 to 12"),
        ("0 0 * * 8", "cron: field 5 is 8; weekdays are 0 to 7"),
        ("0 0 * * fri-mon", "a range goes up"),
        ("61 * * * * *", "cron: field 1 is 61; seconds are 0 to 59"),
        ("*/0 * * * *", "cron: field 1 is */0"),
        ("1,,2 * * * *", "cron: field 1 is empty"),
        ("0 0 32W * *", "cron: field 3 is 32W"),
        ("0 0 30 2 *", "cron: field 3 is 30 and field 4 is 2; none of these months has that day"),
        ("* * * *", "cron: 4 fields"),
        ("", "cron: 0 fields"),
        ("9" * 5000 + " * * * *", "cron: 5008 characters"),
        ("² * * * *", "cron: field 1 is ²"),
    ],
)
def test_an_error_names_the_field_and_what_is_allowed(cron: str, message: str) -> None:
    with pytest.raises(ValueInvalid) as failed:
        Schedule(cron=cron)
    assert message in str(failed.value)


def test_a_local_time_that_does_not_exist_fires_once_at_the_next_valid_instant() -> None:
    assert local("30 2 * * *", "2026-03-28T12:00Z", 2) == [
        "03-29 03:00:00+02",
        "03-30 02:30:00+02",
    ]
    assert local("*/15 2 * * *", "2026-03-28T12:00Z", 2)[0] == "03-29 03:00:00+02"
    assert local("*/15 2 * * *", "2026-03-28T12:00Z", 2)[1] == "03-30 02:00:00+02"
    assert local("30 2,3 * * *", "2026-03-28T12:00Z", 2) == [
        "03-29 03:00:00+02",
        "03-29 03:30:00+02",
    ]
    # A whole day that a zone never had.
    assert local("0 12 * * *", "2011-12-29T23:00Z", 2, "Pacific/Apia") == [
        "12-31 00:00:00+14",
        "12-31 12:00:00+14",
    ]


def test_midnight_that_does_not_exist() -> None:
    assert local("0 0 * * *", "2018-11-03T12:00Z", 2, "America/Sao_Paulo") == [
        "11-04 01:00:00-02",
        "11-05 00:00:00-02",
    ]


def test_a_local_time_that_exists_twice_fires_once_at_the_first() -> None:
    assert local("30 2 * * *", "2026-10-24T12:00Z", 2) == [
        "10-25 02:30:00+02",
        "10-26 02:30:00+01",
    ]
    # Asked between the two, it does not fire at the second.
    assert local("30 2 * * *", "2026-10-25T00:45Z", 1) == ["10-26 02:30:00+01"]


def test_all_hours_are_an_interval_that_no_jump_affects() -> None:
    for since in ("2026-03-29T00:00Z", "2026-10-25T00:00Z"):
        for cron in ("*/30 * * * *", "*/30 0-23 * * *", "0 */30 */1 * * *"):
            found = next_firings(
                Schedule(cron=cron, zone="Europe/Berlin"), datetime.fromisoformat(since), 8
            )
            ats = [datetime.fromisoformat(since), *(f.at for f in found)]
            gaps = {b - a for a, b in pairwise(ats)}
            assert gaps == {timedelta(minutes=30)}


FIELD = st.one_of(st.just("*"), st.integers(0, 59).map(str), st.integers(1, 30).map("*/{}".format))
HOURS = st.one_of(st.just("*"), st.integers(0, 23).map(str), st.just("8-17"), st.just("*/6"))
DAYS = st.one_of(st.just("*"), st.integers(1, 28).map(str), st.sampled_from(["L", "LW", "*/7"]))
WEEKDAYS = st.sampled_from(["*", "1-5", "0", "7", "MON#1", "5L", "MON,WED"])
CRONS = st.tuples(FIELD, HOURS, DAYS, st.sampled_from(["*", "1-6", "DEC"]), WEEKDAYS).map(" ".join)
AFTER = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))


@settings(deadline=None)
@given(CRONS, AFTER)
def test_without_jumps_it_is_cronsim(cron: str, after: datetime) -> None:
    expected = [
        at.replace(tzinfo=UTC) for at in islice(CronSim(cron, after.replace(tzinfo=None)), 5)
    ]
    assert [f.at for f in next_firings(Schedule(cron=cron), after, 5)] == expected


@settings(deadline=None)
@given(CRONS, AFTER, st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "Africa/Cairo"]))
def test_firings_rise_and_do_not_depend_on_where_one_asks(
    cron: str, after: datetime, zone: str
) -> None:
    schedule = Schedule(cron=cron, zone=zone)
    found = [f.at for f in next_firings(schedule, after, 6)]
    assert found == sorted(set(found)) and found[0] > after
    for number, at in enumerate(found[:-1]):
        [following] = next_firings(schedule, at, 1)
        assert following.at == found[number + 1]
        [same] = next_firings(schedule, found[number + 1] - timedelta(microseconds=1), 1)
        assert same.at == found[number + 1]
