"""The store of schedules: what is due is found by index, fires once, and survives kill -9."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from drawloom.errors import ValueInvalid
from drawloom.triggers.store import LEASE, Schedules

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
HOURLY = {"schedule": "hourly", "cron": "0 * * * *", "overlap": "allow"}


@pytest.fixture
def store(tmp_path: Path) -> Schedules:
    return Schedules(tmp_path)


def test_a_firing_is_handed_out_until_it_is_acknowledged(store: Schedules) -> None:
    kept = store.put("default", "report", HOURLY, {"days": 3}, BEGIN)
    assert (kept.next_at, kept.last_at, kept.state) == (BEGIN + HOUR, None, "active")
    assert store.fire(BEGIN + HOUR / 2) == 0
    now = BEGIN + HOUR
    assert (store.fire(now), store.fire(now)) == (1, 0)
    [handed] = store.take(now)
    assert (handed.chain, handed.input, handed.at) == ("report", {"days": 3}, now)
    assert handed.key == "default/hourly@2026-03-01T01:00:00Z"
    assert store.take(now + LEASE - timedelta(seconds=1)) == []
    assert store.take(now + LEASE) == [handed]  # whoever had it may have died
    store.acknowledge(handed.key, "run-1")
    assert store.take(now + 10 * LEASE) == []
    assert [(o.key, o.run) for o in store.open()] == [(handed.key, "run-1")]
    kept = store.get("default", "hourly")
    assert (kept.last_at, kept.next_at) == (now, now + HOUR)


def test_a_clock_that_goes_back_fires_nothing_again(store: Schedules) -> None:
    store.put("default", "report", HOURLY, {}, BEGIN)
    store.fire(BEGIN + 3 * HOUR)
    fired = len(store.take(BEGIN + 3 * HOUR))
    for hours in (1, 2, 3):
        assert store.fire(BEGIN + hours * HOUR) == 0
    assert fired == 2  # one for those that were missed, and the one of now
    assert store.get("default", "hourly").dropped == 1


def test_failures_are_kept_until_a_start_is_well(store: Schedules) -> None:
    store.put("default", "report", HOURLY, {}, BEGIN)
    now = BEGIN + HOUR
    store.fire(now)
    [handed] = store.take(now)
    store.refused(handed.key, "no room", now + HOUR / 4)
    assert store.take(now + HOUR / 5) == []
    assert (kept := store.get("default", "hourly")) and (kept.failures, kept.failure) == (
        1,
        "no room",
    )
    assert store.take(now + HOUR / 4) == [handed]
    store.acknowledge(handed.key, "run-1")
    assert store.get("default", "hourly").failures == 0


def test_a_queue_goes_on_when_a_run_is_over(store: Schedules) -> None:
    document = {**HOURLY, "overlap": {"policy": "queue", "limit": 2}, "misfire": "run_all"}
    store.put("default", "report", document, {}, BEGIN)
    now, ran = BEGIN + 5 * HOUR, []
    store.fire(now)
    while handed := store.take(now):
        [one] = handed
        store.acknowledge(one.key, one.key)
        assert store.fire(now) == 0
        ran.append(one.at)
        store.over(one.key)
        store.fire(now)
    assert ran == [BEGIN + n * HOUR for n in (1, 2, 3)]
    assert store.get("default", "hourly").dropped == 2


def test_the_latest_cancels_what_runs(store: Schedules) -> None:
    store.put("default", "report", {**HOURLY, "overlap": "cancel_running"}, {}, BEGIN)
    store.fire(BEGIN + HOUR)
    [first] = store.take(BEGIN + HOUR)
    store.acknowledge(first.key, "run-1")
    assert store.to_cancel() == []
    store.fire(BEGIN + 2 * HOUR)
    assert [o.run for o in store.to_cancel()] == ["run-1"]
    [second] = store.take(BEGIN + 2 * HOUR)
    store.over(first.key)
    store.acknowledge(second.key, "run-2")
    assert store.to_cancel() == []


def test_what_falls_into_a_pause_never_fires(store: Schedules) -> None:
    store.put("default", "report", HOURLY, {}, BEGIN)
    store.pause("default", "hourly", BEGIN)
    assert store.fire(BEGIN + 3 * HOUR) == 0
    store.resume("default", "hourly", BEGIN + 3 * HOUR)
    assert store.fire(BEGIN + 3 * HOUR) == 0
    assert store.fire(BEGIN + 4 * HOUR) == 1
    assert [f.at for f in store.take(BEGIN + 4 * HOUR)] == [BEGIN + 4 * HOUR]


def test_a_backfill_that_is_done_twice_starts_nothing_twice(store: Schedules) -> None:
    store.put("default", "report", HOURLY, {}, BEGIN)
    store.fire(BEGIN + 2.5 * HOUR)  # one for two that were missed
    assert store.backfill("default", "hourly", BEGIN - HOUR, BEGIN + 2 * HOUR, 100) == (3, False)
    assert store.backfill("default", "hourly", BEGIN - HOUR, BEGIN + 2 * HOUR, 100) == (0, False)
    assert [f.at for f in store.take(BEGIN)] == [BEGIN + n * HOUR for n in (-1, 0, 1, 2)]


def test_tenants_do_not_meet(store: Schedules) -> None:
    store.put("a", "report", HOURLY, {}, BEGIN)
    assert store.all("b") == []
    with pytest.raises(ValueInvalid, match="there is no schedule"):
        store.get("b", "hourly")
    assert not store.remove("b", "hourly") and store.remove("a", "hourly")


def test_the_longest_names_make_a_key_that_the_engine_takes(store: Schedules) -> None:
    from drawloom.drivers.starting import accepted_key

    tenant, name = "t" * 80, "n" * 80
    store.put(tenant, "report", {**HOURLY, "schedule": name}, {}, BEGIN)
    store.fire(BEGIN + HOUR)
    [handed] = store.take(BEGIN + HOUR)
    assert accepted_key(handed.key) == f"{tenant}/{name}@2026-03-01T01:00:00Z"
    for given in ("t" * 81, "a/b", ""):
        with pytest.raises(ValueInvalid, match="tenant: "):
            store.put(given, "report", HOURLY, {}, BEGIN)


def test_a_schedule_that_cannot_be_worked_out_is_paused_and_stops_no_other(
    store: Schedules,
) -> None:
    store.put("default", "report", {**HOURLY, "schedule": "broken"}, {}, BEGIN)
    store.put("default", "report", HOURLY, {}, BEGIN)
    store._db.execute("update schedules set document = '{}' where name = 'broken'")
    assert store.fire(BEGIN + HOUR) == 2
    assert [f.name for f in store.take(BEGIN + HOUR)] == ["hourly"]
    broken = store.get("default", "broken")
    assert (broken.state, broken.failures) == ("paused", 1)
    assert broken.failure is not None and "give one of cron" in broken.failure


def test_a_schedule_that_never_fires_is_refused(store: Schedules) -> None:
    with pytest.raises(ValueInvalid, match="it never fires after"):
        store.put("default", "report", {"cron": "0 0 1 1 *", "end": "2026-03-01"}, {}, BEGIN)


def test_what_is_due_is_found_by_index(store: Schedules) -> None:
    from drawloom.db import queries

    plan = store._db.execute("explain query plan " + queries("triggers")["due"], (0, 1)).fetchall()
    assert "USING INDEX schedules_due" in str(plan) or "USING COVERING INDEX schedules_due" in str(
        plan
    )
    assert "SCAN" not in str(plan)


CHILD = """
import os, signal, sys
from datetime import datetime, timedelta
from pathlib import Path
import apsw

left = int(sys.argv[2])

def tell(cursor, sql, bindings):
    global left
    if not sql.lstrip().lower().startswith(("select", "pragma")):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
    return True

apsw.connection_hooks.append(lambda db: setattr(db, "exec_trace", tell))
from drawloom.triggers.store import Schedules
store = Schedules(Path(sys.argv[1]))
now = datetime.fromisoformat(sys.argv[3])
store.fire(now)
for one in store.take(now):
    with open(Path(sys.argv[1]) / "runs", "a") as runs:  # the engine, which knows the key
        runs.write(one.key + "\\n")
    store.acknowledge(one.key, one.key)
    store.over(one.key)
print("done")
"""


def child(folder: Path, at: int, now: datetime) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, str(folder), str(at), now.isoformat()]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_a_kill_at_any_write_loses_and_doubles_nothing(tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"
    store = Schedules(fresh)
    queue = {"cron": "0 * * * *", "misfire": "run_all", "overlap": {"policy": "queue"}}
    store.put("default", "report", {**HOURLY, "misfire": "run_all"}, {}, BEGIN)
    store.put("default", "report", {**queue, "schedule": "queued"}, {}, BEGIN)
    store.close()
    now, at, died = BEGIN + 3 * HOUR, 0, True
    names = ("hourly", "queued")
    expected = {f"default/{name}@2026-03-01T0{n}:00:00Z" for name in names for n in (1, 2, 3)}
    while died:
        folder = tmp_path / str(at)
        shutil.copytree(fresh, folder)
        process = child(folder, at, now)
        _, err = process.communicate(timeout=60)
        assert process.returncode in (0, -signal.SIGKILL), err
        died = process.returncode != 0
        again, later = Schedules(folder), now + LEASE
        begun = set((folder / "runs").read_text().split()) if (folder / "runs").exists() else set()
        for _ in range(10):  # the server is there again: it asks the engine, and goes on
            for one in again.open():
                again.over(one.key)
            again.fire(later)
            for one in again.take(later):
                begun.add(one.key)
                again.acknowledge(one.key, one.key)
        again.close()
        assert begun == expected
        at += 1
    assert at > 20, "the writes were not all met"


@pytest.mark.slow
def test_two_processes_never_fire_the_same_twice(tmp_path: Path) -> None:
    store = Schedules(tmp_path)
    for number in range(50):
        document = {**HOURLY, "schedule": f"s{number}", "misfire": "run_all"}
        store.put("default", "report", document, {}, BEGIN)
    both = [child(tmp_path, 10**9, BEGIN + 4 * HOUR) for _ in range(2)]
    for process in both:
        out, err = process.communicate(timeout=120)
        assert out == "done\n", err
    for _ in range(3):  # each takes a hundred at a time
        process = child(tmp_path, 10**9, BEGIN + 4 * HOUR)
        assert process.communicate(timeout=120)[0] == "done\n"
    begun = (tmp_path / "runs").read_text().split()
    assert len(begun) == len(set(begun)) == 200
