"""A schedule as a document: each error names its field, and nothing else is ever raised."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drawloom.errors import ValueInvalid
from drawloom.triggers import schedule_of

DAILY = {"cron": "0 9 * * *"}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "schedule: give one of cron, every and rrule; it has none of them"),
        ({**DAILY, "every": "5m"}, "it has cron and every"),
        ({"crom": "0 9 * * *"}, "crom: there is no such field; is it cron?"),
        ([], "schedule: [] is no mapping of fields"),
        ({"cron": 5}, "cron: 5 is not text"),
        ({"every": "0.5s"}, "every: 0:00:00.500000 is not whole seconds"),
        ({"every": 1e308}, "every: "),
        ({**DAILY, "anchor": "2026-01-01"}, "anchor: only `every` has one"),
        ({**DAILY, "start": "2026-02-30"}, "start: '2026-02-30' is no time"),
        ({**DAILY, "start": "2026-02-02", "end": "2026-02-01"}, "end: it is not after start"),
        ({**DAILY, "end": "9999-12-31"}, "end: "),
        ({**DAILY, "misfire": "never"}, "misfire.policy: 'never' is not one of run_once, run_all"),
        ({**DAILY, "misfire": {"grace": "2h"}}, "misfire.grace: 2:00:00 is not within 0s to 1h"),
        ({**DAILY, "overlap": {"limit": 0}}, "overlap.limit: 0 is not within 1 to 1,000"),
        (
            {**DAILY, "overlap": {"limits": 1}},
            "overlap.limits: there is no such field; is it limit",
        ),
        ({**DAILY, "calendar": {"closed": ["easter"]}}, "calendar.closed: 'easter' is no day"),
        ({**DAILY, "calendar": {"closed": ["0001-01-01/9999-01-01"]}}, "is not a range of 1 to"),
        ({**DAILY, "calendar": {"closed": [], "then": "later"}}, "calendar.then: 'later'"),
        (
            {**DAILY, "calendar": {"closed": ["mon", "tue", "wed", "thu", "fri"], "then": "next"}},
            "calendar: no weekday is left",
        ),
        ({**DAILY, "zone": "../../etc/passwd"}, "zone: there is no zone"),
        ({**DAILY, "schedule": "No Name"}, "schedule: 'No Name' is no name"),
    ],
)
def test_an_error_names_its_field(document: Any, message: str) -> None:
    with pytest.raises(ValueInvalid) as failed:
        schedule_of(document)
    assert message in str(failed.value)


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8),
    st.sampled_from(["0 9 * * *", "5m", "FREQ=DAILY", "2026-01-01", "9999-12-31", "0001-01-01", "next"]),
)  # fmt: skip
VALUES = st.recursive(ODD, lambda inner: st.one_of(
    st.lists(inner, max_size=3),
    st.dictionaries(st.sampled_from(["closed", "then", "weekend", "policy", "limit", "grace"]), inner),
), max_leaves=5)  # fmt: skip
FIELDS = st.sampled_from(
    [
        "cron",
        "every",
        "rrule",
        "zone",
        "start",
        "end",
        "anchor",
        "calendar",
        "calendars",
        "misfire",
        "overlap",
    ]
)


@settings(deadline=None)
@given(st.dictionaries(FIELDS, VALUES, max_size=5))
def test_any_document_is_a_schedule_or_refused(document: dict[str, Any]) -> None:
    try:
        schedule = schedule_of(document)
        list(islice(schedule.instants(datetime(2026, 1, 1, tzinfo=UTC)), 3))
    except ValueInvalid:
        pass


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(["0 9 * * *", "0 */6 * * *", "30 2 1,15 * *", "0 9 * * mon"]),
    st.sets(st.integers(0, 40), max_size=12),
    st.sampled_from(["skip", "next", "previous"]),
    st.integers(0, 60 * 24),
)
def test_a_calendar_moves_or_skips_the_same_wherever_one_asks(
    cron: str, closed: set[int], then: str, hours: int
) -> None:
    first = datetime(2026, 3, 1, tzinfo=UTC)
    days = [str((first + timedelta(days=n)).date()) for n in closed]
    calendar = {"closed": days, "then": then, "weekend": ["sun"]}
    schedule = schedule_of({"cron": cron, "zone": "Europe/Berlin", "calendar": calendar})
    end = first + timedelta(days=250)
    every = list(takewhile(lambda at: at < end, schedule.instants(first - timedelta(days=15))))
    assert every == sorted(set(every))
    assert not {str((at + timedelta(hours=1)).date()) for at in every if at.hour < 22} & set(days)
    since = first + timedelta(hours=hours)
    found = list(islice(schedule.instants(since), 5))
    assert found == [at for at in every if at > since][:5]
