"""Ctrl-C, SIGTERM, kill -9, and two processes at once, with real processes and signals."""

from __future__ import annotations

import signal
from typing import Any

import pytest

pytestmark = pytest.mark.slow  # real processes, one after another


CLEANING = """\
chain: cleaning
steps:
  held: {use: my.gate}
  tidy: {use: my.mark, after: {held: finished}, with: {name: tidied}}
"""


def test_ctrl_c_asks_the_run_to_stop_and_waits(bench: Any) -> None:
    process = bench.under_way("held", "waiting.yaml")
    process.send_signal(signal.SIGINT)
    done = bench.ended(process)
    assert done.code == 130
    assert "Asked the run to stop" in done.err
    assert "waiting cancelled" in done.out
    assert "cancelled: interrupted from the keyboard" in done.out
    assert [run["status"] for run in bench.runs()] == ["cancelled"]
    assert bench.lines("marks") == []


def test_ctrl_c_twice_leaves_at_once_and_the_run_is_not_lost(bench: Any) -> None:
    # A `once` call under way is waited for when the run is cancelled: here it never ends.
    (bench.folder / "slow.yaml").write_text(
        "chain: slow\nsteps:\n  held: {use: my.gate}\n"
        "  hold: {use: my.gate, after: {held: finished}}\n"
    )
    process = bench.under_way("held", "slow.yaml")
    process.send_signal(signal.SIGINT)
    bench.until(process, "hold: running")
    process.send_signal(signal.SIGINT)
    done = bench.ended(process)
    assert done.code == 130
    run = bench.runs()[0]
    assert run["status"] == "running"
    assert f"Run {run['run']} is not over" in done.err
    assert f"drawloom runs cancel {run['run']}" in done.err
    bench.open_gate()
    after = bench.apart("run", "double.yaml")
    assert after.code == 0
    assert f"Taken up again where an earlier process left off: {run['run']}" in after.err
    assert [run["status"] for run in bench.runs()] == ["cancelled", "succeeded"]


def test_ctrl_c_twice_in_memory_says_that_the_run_is_gone(bench: Any) -> None:
    (bench.folder / "slow.yaml").write_text(
        "chain: slow\nsteps:\n  held: {use: my.gate}\n"
        "  hold: {use: my.gate, after: {held: finished}}\n"
    )
    process = bench.under_way("held", "slow.yaml", "--durability", "memory")
    process.send_signal(signal.SIGINT)
    bench.until(process, "hold: running")
    process.send_signal(signal.SIGINT)
    assert "kept in memory only, and is gone" in bench.ended(process).err


def test_clean_up_runs_before_the_command_ends(bench: Any) -> None:
    (bench.folder / "cleaning.yaml").write_text(CLEANING)
    process = bench.under_way("held", "cleaning.yaml")
    process.send_signal(signal.SIGINT)
    assert bench.ended(process).code == 130
    assert bench.lines("marks") == ["tidied"]


def test_terminate_leaves_the_run_to_the_next_start(bench: Any) -> None:
    process = bench.under_way("held", "waiting.yaml")
    process.send_signal(signal.SIGTERM)
    assert bench.ended(process).code == 143
    bench.open_gate()
    assert bench.apart("run", "double.yaml").code == 0
    assert [run["status"] for run in bench.runs()] == ["succeeded", "succeeded"]


def test_kill_9_loses_nothing_and_the_next_run_finishes_both(bench: Any) -> None:
    process = bench.under_way("held", "waiting.yaml")
    process.kill()
    bench.ended(process)
    [left] = bench.runs()
    assert left["status"] == "running"
    assert "interrupted" in bench.here("runs", "list").out, "nobody has it now"
    bench.open_gate()
    done = bench.apart("run", "double.yaml")
    assert done.code == 0
    assert f"run {left['run']}: succeeded" in done.err
    assert [run["status"] for run in bench.runs()] == ["succeeded", "succeeded"]
    assert bench.lines("marks") == [f"after-{left['run']}"]


def test_a_once_call_that_was_killed_waits_for_a_person(bench: Any) -> None:
    process = bench.under_way("pay", "paying.yaml")
    while not bench.lines("paid"):
        assert process.poll() is None
    process.kill()
    bench.ended(process)
    bench.open_gate()
    after = bench.apart("run", "double.yaml")
    assert after.code == 0
    run = bench.runs()[0]["run"]
    assert f"run {run}: unknown" in after.err
    shown = bench.here("runs", "show", run)
    assert f"drawloom runs resolve {run} 'pay#1' --succeeded" in shown.out

    wrong = bench.here("runs", "resolve", run, "pay#2", "--again")
    assert (wrong.code, "it waits for pay#1" in wrong.err) == (2, True)
    told = bench.here("runs", "resolve", run, "pay#1", "--succeeded", "--output", '{"paid": 5}')
    assert told.code == 0
    assert [run["status"] for run in bench.runs()] == ["succeeded", "succeeded"]
    assert bench.here("runs", "show", run, "--json").json["output"] == {"paid": 5}
    assert bench.lines("paid") == ["5"], "it was never called again"


def killed_paying(bench: Any) -> str:
    process = bench.under_way("pay", "paying.yaml", "--id", "pays")
    while not bench.lines("paid"):
        assert process.poll() is None
    process.kill()
    bench.ended(process)
    bench.open_gate()
    assert bench.apart("run", "double.yaml").code == 0
    return "pays"


def test_an_unknown_call_can_be_told_to_have_failed(bench: Any) -> None:
    run = killed_paying(bench)
    done = bench.here("runs", "resolve", run, "pay#1", "--failed", "--message", "bank says no")
    assert done.code == 1
    assert "bank says no" in done.out
    again = bench.here("runs", "resolve", run, "pay#1", "--again")
    assert (again.code, "is over: it failed" in again.err) == (2, True)


def test_an_unknown_call_can_be_made_again(bench: Any) -> None:
    run = killed_paying(bench)
    done = bench.here("runs", "resolve", run, "pay#1", "--again", "--json")
    assert (done.code, done.json["status"]) == (0, "succeeded")
    assert bench.lines("paid") == ["5", "5"]


def test_an_output_that_the_tool_could_not_give_is_refused(bench: Any) -> None:
    run = killed_paying(bench)
    done = bench.here("runs", "resolve", run, "pay#1", "--succeeded", "--output", '{"paid": "x"}')
    assert done.code == 2
    assert "/paid" in done.err
    assert bench.runs()[0]["status"] == "unknown"


def test_a_waiting_run_of_ones_own_is_4(bench: Any) -> None:
    killed_paying(bench)
    assert bench.here("runs", "follow", "pays").code == 4
    (bench.folder / "lossy.yaml").write_text(
        "chain: lossy\nsteps: {p: {use: my.pay, timeout: 50ms, with: {amount: 1}}}\n"
    )
    (bench.folder / "gate").unlink()
    done = bench.here("run", "lossy.yaml", "--quiet")
    assert done.code == 4
    assert "Nobody can know whether p#1 had its effect" in done.out


def test_a_second_process_is_refused_and_readers_are_welcome(bench: Any) -> None:
    process = bench.under_way("held", "waiting.yaml")
    second = bench.apart("run", "double.yaml")
    assert second.code == 3
    assert f"(process {process.pid})" in second.err
    [run] = bench.runs()
    assert run["status"] == "running"
    assert f"process {process.pid}" in bench.here("runs", "show", run["run"]).out
    bench.open_gate()
    assert bench.ended(process).code == 0


def test_another_process_can_cancel_a_run(bench: Any) -> None:
    process = bench.under_way("held", "waiting.yaml")
    run = bench.runs()[0]["run"]
    asked = bench.here("runs", "cancel", run, "--reason", "wrong month")
    assert asked.code == 0
    assert "waiting cancelled" in asked.out
    done = bench.ended(process)
    assert done.code == 1, "cancelled, though not by its own keyboard"
    assert "cancelled: wrong month" in done.out


def test_a_run_that_nobody_has_can_be_cancelled_and_others_are_left(bench: Any) -> None:
    for name in ("a", "b"):
        process = bench.under_way("held", "waiting.yaml", "--id", name, "--state", f"state-{name}")
        process.kill()
        bench.ended(process)
    done = bench.here("runs", "cancel", "a", "--state", "state-a")
    assert done.code == 0
    assert "a" in done.out and "cancelled" in done.out
    listed = bench.here("runs", "list", "--state", "state-b", "--json").json["runs"]
    assert [run["status"] for run in listed] == ["running"]
    assert bench.lines("marks") == []


def test_cancelling_takes_up_no_other_run_of_the_store(bench: Any) -> None:
    process = bench.under_way("held", "waiting.yaml", "--id", "first")
    process.kill()
    bench.ended(process)
    process = bench.under_way("pay", "paying.yaml", "--id", "second")
    process.kill()
    bench.ended(process)
    paid = bench.lines("paid")
    assert bench.here("runs", "cancel", "first").code == 0
    assert {run["run"]: run["status"] for run in bench.runs()} == {
        "first": "cancelled",
        "second": "running",
    }
    assert bench.lines("paid") == paid


def test_follow_shows_a_run_of_another_process_to_its_end(bench: Any) -> None:
    process = bench.under_way("held", "waiting.yaml")
    run = bench.runs()[0]["run"]
    follower = bench.start("runs", "follow", run)
    assert follower.stdout is not None
    assert "started" in follower.stdout.readline()
    bench.open_gate()
    told = bench.ended(follower)
    assert told.code == 0
    assert "held#1: succeeded" in told.out
    assert f"run {run}: succeeded" in told.err
    assert bench.ended(process).code == 0


def test_a_run_whose_tool_is_gone_is_said_and_can_be_abandoned(bench: Any) -> None:
    process = bench.under_way("held", "waiting.yaml", "--id", "lone")
    process.kill()
    bench.ended(process)
    (bench.folder / "tools.py").write_text("")
    after = bench.apart("run", "double.yaml")
    assert after.code == 0, "the others go on"
    assert "Run lone cannot go on: there is no tool 'my.gate'" in after.err
    refused = bench.apart("runs", "cancel", "lone")
    assert (refused.code, "--abandon" in refused.err) == (3, True)
    assert bench.apart("runs", "cancel", "lone", "--abandon").code == 0
    assert bench.runs()[0]["status"] == "cancelled"
    assert bench.here("runs", "list", "--status", "running", "--json").json["runs"] == []
    assert bench.apart("doctor").code == 0, "an abandoned run is no fault of the store"


def test_a_run_that_waits_for_a_person_can_be_cancelled(bench: Any) -> None:
    run = killed_paying(bench)
    assert bench.here("runs", "cancel", run).code == 0
    assert bench.runs()[0]["status"] == "cancelled"


def test_resumed_runs_are_waited_for_and_ctrl_c_leaves_them(bench: Any) -> None:
    process = bench.under_way("held", "waiting.yaml", "--id", "earlier")
    process.kill()
    bench.ended(process)
    process = bench.start("run", "double.yaml")
    told = bench.until(process, "Waiting for 1 resumed")
    assert "Taken up again where an earlier process left off: earlier" in told
    process.send_signal(signal.SIGINT)
    done = bench.ended(process)
    assert "double succeeded" in done.out, "the own result is told before"
    assert "run earlier: not over; it goes on at the next start" in done.err
    assert done.code == 130
    assert [run["status"] for run in bench.runs()] == ["running", "succeeded"]


def test_ctrl_c_of_a_follower_leaves_the_run_alone(bench: Any) -> None:
    process = bench.under_way("held", "waiting.yaml", "--id", "goes-on")
    follower = bench.start("runs", "follow", "goes-on")
    assert follower.stdout is not None
    assert "started" in follower.stdout.readline()
    follower.send_signal(signal.SIGINT)
    assert bench.ended(follower).code == 130
    bench.open_gate()
    assert bench.ended(process).code == 0


def test_a_run_that_a_person_resolved_replays_and_can_be_rehearsed(bench: Any) -> None:
    run = killed_paying(bench)
    waiting = bench.here("runs", "replay", run, "--json").json
    assert waiting["same"] is True, waiting
    assert bench.here("runs", "resolve", run, "pay#1", "--again").code == 0
    told = bench.here("runs", "replay", run, "--json").json
    assert told["same"] is True, told
    rehearsed = bench.here("runs", "replay", run, "--chain", "paying.yaml", "--json").json
    assert rehearsed["same"] is True, rehearsed
