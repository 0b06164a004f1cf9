"""`drawloom runs list|show|follow`: what they say of stored runs, and wrong ids."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import Any

import apsw
import pytest

from drawloom.drivers.embedded import STORE


def test_listing_an_empty_project_says_what_to_do(bench: Any) -> None:
    done = bench.here("runs", "list")
    assert done.code == 3
    assert "run a chain first" in done.err


def test_list_filters_and_pages(bench: Any, ran: Callable[..., str]) -> None:
    first, second, bad = ran("double"), ran("double"), ran("failing")
    listed = bench.here("runs", "list", "--json").json["runs"]
    assert [run["run"] for run in listed] == [bad, second, first], "the latest first"
    assert list(listed[0]) == [
        "run", "chain", "status", "number", "started_at", "ended_at", "seconds", "failure",
    ]  # fmt: skip
    failed = bench.here("runs", "list", "--status", "failed", "--json").json["runs"]
    assert [run["run"] for run in failed] == [bad]
    of_chain = bench.here("runs", "list", "--chain", "double", "--limit", "1", "--json").json[
        "runs"
    ]
    assert [run["run"] for run in of_chain] == [second]
    rest = bench.here("runs", "list", "--before", str(listed[1]["number"]), "--json").json["runs"]
    assert [run["run"] for run in rest] == [first]
    paged = bench.here("runs", "list", "--limit", "2")
    assert f"--before {listed[1]['number']}" in paged.err
    assert "invalid: bad: no ␛[31mluck" in paged.out


def test_show_has_steps_costs_and_the_result(bench: Any, ran: Callable[..., str]) -> None:
    run = ran("double", "-i", "n=4")
    shown = bench.here("runs", "show", run)
    assert shown.code == 0
    assert next(line for line in shown.out.splitlines() if line.startswith("each")).split()[3:6] == [
        "3", "of", "3",
    ]  # fmt: skip
    assert '"twice": 8' in shown.out
    found = bench.here("runs", "show", run, "--json").json
    assert (found["status"], found["input"], found["output"]["twice"]) == (
        "succeeded",
        {"n": 4},
        8,
    )
    assert found["steps"]["each"]["metrics"]["calls"] == 3
    assert found["steps"]["each"]["metrics"]["wall"] > 0
    assert found["steps"]["twice"]["status"] == "succeeded"


def test_a_step_is_shown_with_its_output_and_calls(bench: Any, ran: Callable[..., str]) -> None:
    run = ran("double")
    shown = bench.here("runs", "show", run, "--step", "each")
    assert "each[2]#1" in shown.out
    found = bench.here("runs", "show", run, "--step", "each", "--json").json
    assert found["output"] == [{"value": 4}, {"value": 8}, {"value": 12}]
    assert [event["call"] for event in found["events"]] == ["each[0]#1", "each[1]#1", "each[2]#1"]
    wrong = bench.here("runs", "show", run, "--step", "eech")
    assert (wrong.code, "did you mean 'each'?" in wrong.err) == (2, True)


def test_a_failure_is_shown_where_it_happened(bench: Any, ran: Callable[..., str]) -> None:
    shown = bench.here("runs", "show", ran("failing"))
    assert shown.code == 0, "showing a failed run succeeds"
    assert "invalid: no ␛[31mluck" in shown.out
    assert "\x1b" not in shown.out


def test_a_prefix_of_one_run_is_enough_and_of_two_is_refused(bench: Any) -> None:
    for name in ("alpha-1", "alpha-2", "beta"):
        bench.here("run", "double.yaml", "--id", name)
    assert bench.here("runs", "show", "b", "--json").json["run"] == "beta"
    assert bench.here("runs", "show", "alpha-1", "--json").json["run"] == "alpha-1"
    done = bench.here("runs", "show", "alpha")
    assert done.code == 2
    assert "more than one run begins with 'alpha': alpha-1, alpha-2" in done.err


@pytest.mark.parametrize("command", ["show", "follow", "cancel", "replay"])
def test_an_unknown_run_is_2_and_says_where_to_look(
    bench: Any, ran: Callable[..., str], command: str
) -> None:
    ran("double")
    done = bench.here("runs", command, "nope")
    assert done.code == 2
    assert "there is no run 'nope' here; `drawloom runs list`" in done.err


def test_ids_are_data_and_not_patterns(bench: Any, ran: Callable[..., str]) -> None:
    ran("double")
    for hostile in ("%", "_", "' or 1=1 --", "\x1b[2J"):
        done = bench.here("runs", "show", "--", hostile)
        assert done.code == 2
        assert "\x1b" not in done.err


def test_follow_tells_a_run_that_is_over(bench: Any, ran: Callable[..., str]) -> None:
    run = ran("double")
    done = bench.here("runs", "follow", run, "--json")
    events = [json.loads(line) for line in done.out.splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[0]["kind"] == "started"
    assert bench.here("runs", "follow", ran("failing")).code == 1


def test_a_store_of_a_newer_version_is_3(bench: Any, ran: Callable[..., str]) -> None:
    ran("double")
    with apsw.Connection(str(bench.folder / ".drawloom" / STORE)) as db:
        db.pragma("user_version", 999)
    db.close()
    for words in (["runs", "list"], ["run", "double.yaml"]):
        done = bench.here(*words)
        assert done.code == 3
        assert "a newer Drawloom" in done.err
        assert "upgrade Drawloom" in done.err


def test_a_store_that_is_none_is_3(bench: Any, ran: Callable[..., str]) -> None:
    ran("double")
    store = bench.folder / ".drawloom" / STORE
    store.write_bytes(b"this is no database, whatever its name may say" * 50)
    for path in store.parent.glob(f"{STORE}-*"):
        path.unlink()
    for words in (["runs", "list"], ["run", "double.yaml", "--quiet"], ["doctor"]):
        done = bench.here(*words)
        assert done.code == (1 if words == ["doctor"] else 3), words
        assert "Traceback" not in done.err


def test_a_chain_whose_tools_are_gone_is_still_listed(bench: Any) -> None:
    bench.open_gate()
    assert bench.apart("run", "waiting.yaml", "--id", "old").code == 0
    (bench.folder / "tools.py").write_text("")
    shown = bench.apart("runs", "show", "old")
    assert shown.code == 0
    assert "its steps cannot be worked out: there is no tool 'my.gate'" in shown.out
    assert '"value": 7' in shown.out, "the result is stored, and shown"


def test_state_of_another_folder_can_be_read(
    bench: Any, ran: Callable[..., str], tmp_path: Any
) -> None:
    run = ran("double")
    shutil.move(tmp_path / ".drawloom", tmp_path / "elsewhere")
    assert bench.here("runs", "list").code == 3
    listed = bench.here("runs", "list", "--state", "elsewhere", "--json").json["runs"]
    assert [found["run"] for found in listed] == [run]
