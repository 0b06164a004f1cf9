"""`drawloom runs replay`: offline, on the same chain and on an edited one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw

from drawloom.drivers.embedded import STORE


def edited(folder: Path, name: str, old: str, new: str) -> Path:
    text = (folder / f"{name}.yaml").read_text()
    assert old in text
    path = folder / "edited.yaml"
    path.write_text(text.replace(old, new))
    return path


def test_a_recorded_run_replays_the_same_without_calling_a_tool(bench: Any) -> None:
    bench.open_gate()
    run = bench.apart("run", "waiting.yaml", "--json").json["run"]
    marks = bench.lines("marks")
    done = bench.here("runs", "replay", run)
    assert done.code == 0
    assert "Everything is as recorded" in done.out
    assert bench.lines("marks") == marks
    told = bench.here("runs", "replay", run, "--json").json
    assert told["same"] is True
    assert told["steps"] == {
        "held": {"verdict": "same", "why": []},
        "after": {"verdict": "same", "why": []},
    }


def test_a_failed_run_and_a_retried_one_replay_too(bench: Any, ran: Callable[..., str]) -> None:
    (bench.folder / "retried.yaml").write_text(
        "chain: retried\nsteps:\n"
        "  bad: {use: core.fail, with: {message: x, kind: transient},"
        " retry: {attempts: 3, delay: 1ms}, on_error: continue}\n"
        "  each: {use: core.fail, for_each: '${[1..3]}', on_error: continue, with: {message: y}}\n"
    )
    for chain in ("failing", "retried"):
        assert bench.here("runs", "replay", ran(chain)).code == 0, chain


def test_a_changed_answer_is_found(bench: Any, ran: Callable[..., str]) -> None:
    run = ran("double")
    with apsw.Connection(str(bench.folder / ".drawloom" / STORE)) as db:
        db.execute("update events set body = '{\"value\": 5}' where call = 'twice#1'")
        assert db.changes() == 1
    db.close()
    done = bench.here("runs", "replay", run, "--json")
    assert done.code == 1
    assert done.json["same"] is False
    assert done.json["steps"]["each"]["verdict"] == "differs"
    assert "other arguments" in done.json["steps"]["each"]["why"][0]


def test_a_changed_end_is_found(bench: Any, ran: Callable[..., str]) -> None:
    run = ran("double")
    with apsw.Connection(str(bench.folder / ".drawloom" / STORE)) as db:
        db.execute("update runs set output = '{}'")
    db.close()
    done = bench.here("runs", "replay", run, "--json")
    assert (done.code, done.json["end"]["why"]) == (1, ["the output is not the recorded one"])


def test_an_edit_that_changes_nothing_is_the_same(bench: Any, ran: Callable[..., str]) -> None:
    path = edited(bench.folder, "double", "input.n * 2", "2 * input.n")
    done = bench.here("runs", "replay", ran("double"), "--chain", path)
    assert done.code == 0, done.out


def test_an_edit_says_which_steps_would_differ(bench: Any, ran: Callable[..., str]) -> None:
    path = edited(bench.folder, "double", "item * steps.twice.value", "item + steps.twice.value")
    told = bench.here("runs", "replay", ran("double"), "--chain", path, "--json")
    assert told.code == 1
    assert told.json["steps"]["twice"]["verdict"] == "same"
    assert told.json["steps"]["each"]["verdict"] == "differs"
    assert "each[0]#1 is called with another tool or other" in told.json["steps"]["each"]["why"][0]


def test_an_edited_output_is_compared_with_the_stored(bench: Any, ran: Callable[..., str]) -> None:
    path = edited(bench.folder, "double", 'twice: "${steps.twice.value}"', "twice: 4.5")
    told = bench.here("runs", "replay", ran("double"), "--chain", path, "--json").json
    assert {one["verdict"] for one in told["steps"].values()} == {"same"}
    assert told["end"]["why"] == ["the output is not the recorded one"]


def test_a_step_that_was_never_called_has_no_answer(bench: Any, ran: Callable[..., str]) -> None:
    path = edited(
        bench.folder,
        "double",
        "output:",
        "  more: {use: core.transform, with: {value: 1}}\noutput:",
    )
    told = bench.here("runs", "replay", ran("double"), "--chain", path, "--json").json
    assert told["steps"]["more"]["verdict"] == "added"
    assert "more#1 was never called" in told["steps"]["more"]["why"][0]
    assert "does not come to its end" in told["end"]["why"][0]


def test_a_renamed_step_keeps_its_answer(bench: Any, ran: Callable[..., str]) -> None:
    text = (bench.folder / "double.yaml").read_text()
    (bench.folder / "edited.yaml").write_text(text.replace("steps.twice", "steps.two").replace(
        "  twice: {use", "  two: {use"
    ))  # fmt: skip
    told = bench.here("runs", "replay", ran("double"), "--chain", "edited.yaml", "--json").json
    assert {name: one["verdict"] for name, one in told["steps"].items()} == {
        "two": "added",
        "each": "same",
        "twice": "removed",
    }
    assert told["end"]["verdict"] == "same"


def test_an_input_that_no_longer_fits_is_2(bench: Any, ran: Callable[..., str]) -> None:
    path = edited(bench.folder, "double", "maximum: 100", "maximum: 3")
    done = bench.here("runs", "replay", ran("double", "-i", "n=50"), "--chain", path)
    assert done.code == 2
    assert "/n" in done.err
