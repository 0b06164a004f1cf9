"""What is due: each firing decided once, whatever the clock does, and by the stated policy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from drawloom.triggers import Schedule, State, backfill, due, firings_between
from drawloom.triggers.schedule import Misfire, Overlap

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Life(RuleBasedStateMachine):
    """Time goes on and back, runs end, and the schedule is asked at any moment."""

    @initialize(
        misfire=st.sampled_from(["run_once", "run_all", "skip"]),
        overlap=st.sampled_from(["allow", "skip", "queue", "cancel_running"]),
    )
    def begin(self, misfire: str, overlap: str) -> None:
        self.schedule = Schedule(
            cron="*/10 * * * *",
            misfire=Misfire(misfire, limit=3),
            overlap=Overlap(overlap, limit=2),
        )
        self.state = State(BEGIN)
        self.now = self.latest = BEGIN
        self.started: list[datetime] = []
        self.dropped = 0
        self.running = 0

    @rule(minutes=st.integers(1, 90))
    def time_goes_by(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(minutes=st.integers(1, 90))
    def the_clock_goes_back(self, minutes: int) -> None:
        self.now -= timedelta(minutes=minutes)

    @rule()
    def a_run_ends(self) -> None:
        self.running = max(0, self.running - 1)

    @rule()
    def ask(self) -> None:
        before = self.state
        decided = due(self.schedule, before, self.now, self.running)
        if self.now <= before.seen and not before.queued:
            assert not decided.starts and not decided.dropped
        if self.schedule.overlap.policy != "allow" and self.running and not decided.cancel:
            assert not decided.starts
        assert decided.state.seen == max(before.seen, self.now)
        if decided.cancel:
            self.running = 0
        self.started += [firing.at for firing in decided.starts]
        self.running += len(decided.starts)
        self.dropped += sum(d.count for d in decided.dropped)
        self.state = decided.state

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        if not hasattr(self, "state"):
            return
        assert len(self.state.queued) <= 2
        assert self.started == sorted(set(self.started))
        every = firings_between(self.schedule, BEGIN, self.state.seen, 10_000).firings
        assert len(every) == len(self.started) + self.dropped + len(self.state.queued)
        assert set(self.started) <= {firing.at for firing in every}


TestLife = Life.TestCase


def decided(misfire: str, limit: int = 100, overlap: str = "allow", hours: float = 10.5):
    schedule = Schedule(
        cron="0 * * * *", misfire=Misfire(misfire, limit), overlap=Overlap(overlap)
    )
    return due(schedule, State(BEGIN), BEGIN + hours * HOUR, 0)


def test_one_run_stands_for_all_that_were_missed() -> None:
    found = decided("run_once")
    assert [f.at for f in found.starts] == [BEGIN + 10 * HOUR]
    [dropped] = found.dropped
    assert (dropped.reason, dropped.count, dropped.at_least) == ("missed", 9, False)
    assert (dropped.first, dropped.last) == (BEGIN + HOUR, BEGIN + 9 * HOUR)


def test_all_that_were_missed_run_up_to_a_limit_and_the_rest_is_counted() -> None:
    assert len(decided("run_all").starts) == 10
    found = decided("run_all", 4)
    assert [f.at for f in found.starts] == [BEGIN + n * HOUR for n in (7, 8, 9, 10)]
    assert [d.count for d in found.dropped] == [6]


def test_missed_firings_are_skipped_but_not_those_in_time() -> None:
    found = decided("skip", hours=10)
    assert [f.at for f in found.starts] == [BEGIN + 10 * HOUR]
    assert [d.count for d in found.dropped] == [9]


def test_years_of_seconds_are_not_counted_one_by_one() -> None:
    schedule = Schedule(cron="* * * * * *", misfire=Misfire("run_once", grace=timedelta()))
    now = BEGIN + timedelta(days=3000)
    found = due(schedule, State(BEGIN), now, 1)
    [missed, overlap] = found.dropped
    assert missed.at_least and missed.count == 10_000
    assert missed.last == now - timedelta(seconds=2)
    assert overlap.count == 2  # the last one missed, and the one of this second


def test_a_queue_is_bounded_and_goes_on_when_a_run_ends() -> None:
    schedule = Schedule(cron="0 * * * *", misfire=Misfire("run_all"), overlap=Overlap("queue", 2))
    first = due(schedule, State(BEGIN), BEGIN + 5 * HOUR, 0)
    assert [f.at for f in first.starts] == [BEGIN + HOUR]
    assert [f.at for f in first.state.queued] == [BEGIN + 2 * HOUR, BEGIN + 3 * HOUR]
    assert [(d.reason, d.count) for d in first.dropped] == [("queue full", 2)]
    assert due(schedule, first.state, BEGIN + 5 * HOUR, 1).starts == ()
    after = due(schedule, first.state, BEGIN + 5 * HOUR, 0)
    assert [f.at for f in after.starts] == [BEGIN + 2 * HOUR]


def test_the_latest_cancels_those_that_run() -> None:
    schedule = Schedule(
        cron="0 * * * *", misfire=Misfire("run_all"), overlap=Overlap("cancel_running")
    )
    found = due(schedule, State(BEGIN), BEGIN + 3 * HOUR, 1)
    assert found.cancel and [f.at for f in found.starts] == [BEGIN + 3 * HOUR]
    assert not due(schedule, State(BEGIN), BEGIN + HOUR, 0).cancel


def test_a_backfill_has_the_same_keys_each_time() -> None:
    schedule = Schedule(cron="0 * * * *", name="hourly")
    found = backfill(schedule, BEGIN, BEGIN + 3 * HOUR, 3)
    assert found.more
    assert found.firings == backfill(schedule, BEGIN, BEGIN + 3 * HOUR, 3).firings
    assert next(f.key for f in found.firings) == "hourly@2026-03-01T00:00:00Z"
    assert decided("run_all").starts[0].at == found.firings[1].at


@pytest.mark.parametrize("then", ["skip", "next", "previous"])
def test_calendars(then: str) -> None:
    from drawloom.triggers import next_firings, schedule_of

    schedule = schedule_of(
        {
            "cron": "0 9 * * *",
            "zone": "Europe/Berlin",
            "calendars": {"easter": ["2026-04-03/2026-04-06"]},
            "calendar": {"closed": ["easter"], "then": then},
            "start": "2026-04-02",
            "end": "2026-04-08",
        }
    )
    days = [f.at.day for f in next_firings(schedule, BEGIN, 10)]
    assert days == [2, 7, 8]
    single = schedule_of(
        {
            "cron": "0 9 4 4 *",
            "calendars": {"easter": ["2026-04-03/2026-04-06"]},
            "calendar": {"closed": ["easter"], "then": then},
        }
    )
    [first] = next_firings(single, BEGIN, 1)
    expected = {"skip": "2027-04-04", "next": "2026-04-07", "previous": "2026-04-02"}[then]
    assert str(first.at.date()) == expected
