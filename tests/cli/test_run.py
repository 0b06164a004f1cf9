"""`drawloom run`: what it prints, what it refuses, and its exit codes."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path
from typing import Any

import pytest


def test_people_see_steps_result_and_what_to_do_next(bench: Any) -> None:
    done = bench.here("run", "double.yaml")
    assert done.code == 0
    assert "double succeeded in" in done.out
    row = next(line for line in done.out.splitlines() if line.startswith("each"))
    assert row.split()[:6] == ["each", "succeeded", "1", "3", "of", "3"]
    assert '"twice": 4' in done.out
    run = bench.runs()[0]["run"]
    assert f"drawloom runs show {run}" in done.out
    assert "twice: running core.transform" in done.err, "the progress is on stderr"


def test_json_is_one_document_and_nothing_else(bench: Any) -> None:
    done = bench.here("run", "double.yaml", "--json", "-i", "n=5")
    shown = done.json
    assert list(shown) == [
        "run",
        "chain",
        "status",
        "output",
        "failure",
        "unknown",
        "waits",
        "steps",
    ]
    assert shown["status"] == "succeeded"
    assert shown["output"] == {"twice": 10, "each": [10, 20, 30]}
    assert shown["steps"]["each"]["items_done"] == 3
    assert set(shown["steps"]["twice"]) == {
        "tool", "status", "attempts", "seconds", "failure", "items_done", "items_total",
    }  # fmt: skip
    assert done.err == ""


def test_quiet_and_watch_decide_on_progress(bench: Any) -> None:
    assert bench.here("run", "double.yaml", "--quiet").err == ""
    watched = bench.here("run", "double.yaml", "--json", "--watch")
    assert "twice: succeeded" in watched.err
    json.loads(watched.out)


def test_a_failed_run_is_1_and_its_message_cannot_drive_the_terminal(bench: Any) -> None:
    done = bench.here("run", "failing.yaml")
    assert done.code == 1
    assert "invalid: no ␛[31mluck" in done.out
    assert "\x1b" not in done.out + done.err


def test_json_of_hostile_text_has_no_bare_control_character(bench: Any) -> None:
    done = bench.here("run", "failing.yaml", "--json")
    assert "\x1b" not in done.out
    assert done.json["failure"]["message"] == "bad: no \x1b[31mluck"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-i", "n=abc"], "--input n: 'abc' is not an integer"),
        (["-i", "m=1"], "--input m: there is no such input; its names: n"),
        (["-i", "n=1", "-i", "n=2"], "--input n is given twice"),
        (["-i", "n"], "--input n: write NAME=VALUE"),
        (["-i", "n=101"], "/n"),
        (["--input-json", "[1]"], "--input-json must be an object"),
        (["--input-json", '{"n": 1, "n": 2}'], "--input-json"),
        (["--input-json", "@none.json"], "cannot read none.json: No such file"),
        (["--bind", "db=x"], "the chain has no such slot"),
        (["--id", "a b"], "--id 'a b'"),
        (["--durability", "some"], "full"),
        (["--nonsense"], "--nonsense"),
        (["--project", "nowhere"], "--project nowhere: there is no such folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_input_is_2_names_the_place_and_starts_nothing(
    bench: Any, words: list[str], message: str
) -> None:
    done = bench.here("run", "double.yaml", *words)
    assert done.code == 2
    assert message in done.err
    assert "Traceback" not in done.err
    assert done.out == ""
    assert not (bench.folder / ".drawloom").exists(), "nothing was started"


def test_a_missing_input_says_how_to_give_it(bench: Any) -> None:
    (bench.folder / "needs.yaml").write_text(
        "chain: needs\ninput: {who: {type: string}}\n"
        'steps: {s: {use: core.log, with: {message: "${input.who}"}}}\n'
    )
    done = bench.here("run", "needs.yaml")
    assert (done.code, "--input who=VALUE" in done.err) == (2, True)
    assert bench.here("run", "needs.yaml", "-i", "who=me").code == 0


def test_errors_in_json_are_a_document_too(bench: Any) -> None:
    done = bench.here("run", "double.yaml", "--json", "-i", "n=abc")
    assert done.code == 2
    assert done.json["error"]["kind"] == "ValueInvalid"
    assert "--input n" in done.json["error"]["message"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("missing.yaml", None, "there is no file missing.yaml"),
        ("bad.yaml", "chain: [", "bad.yaml:1"),
        ("two.yaml", "chain: a\nchain: b\nsteps: {}\n", "two.yaml:2:1"),
        ("tool.yaml", "chain: a\nsteps: {s: {use: core.tranform}}\n", "core.transform"),
        ("latin.yaml", b"chain: caf\xe9\n", "UTF-8"),
    ],
    ids=["missing", "bad YAML", "duplicate key", "unknown tool", "not UTF-8"],
)
def test_a_chain_that_cannot_run_is_2(
    bench: Any, name: str, text: str | bytes | None, message: str
) -> None:
    if text is not None:
        (bench.folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    done = bench.here("run", name)
    assert done.code == 2
    assert message in done.err
    assert not (bench.folder / ".drawloom").exists()


def test_a_missing_file_has_its_neighbour_suggested(bench: Any) -> None:
    assert "did you mean 'double.yaml'?" in bench.here("run", "duble.yaml").err


def test_input_comes_from_a_file_or_stdin_too(bench: Any) -> None:
    (bench.folder / "input.json").write_text('{"n": 3}')
    from_file = bench.here("run", "double.yaml", "--json", "--input-json", "@input.json")
    assert from_file.json["output"]["twice"] == 6
    piped = bench.apart("run", "double.yaml", "--json", "--input-json", "-", input='{"n": 4}')
    assert piped.json["output"]["twice"] == 8
    # A single field given beside it wins.
    both = bench.here("run", "double.yaml", "--json", "--input-json", '{"n": 3}', "-i", "n=9")
    assert both.json["output"]["twice"] == 18


def test_an_id_of_ones_own_is_used_once(bench: Any) -> None:
    assert bench.here("run", "double.yaml", "--id", "mine", "--json").json["run"] == "mine"
    again = bench.here("run", "double.yaml", "--id", "mine")
    assert again.code == 2
    assert "there is a run of that id" in again.err
    assert bench.here("run", "double.yaml").code == 0, "the store is as usable as before"


def test_memory_keeps_nothing(bench: Any) -> None:
    assert bench.here("run", "double.yaml", "--durability", "memory").code == 0
    assert not (bench.folder / ".drawloom").exists()


def test_state_may_be_elsewhere_and_the_hint_says_so(bench: Any, tmp_path: Path) -> None:
    done = bench.here("run", "double.yaml", "--state", "kept here")
    assert (tmp_path / "kept here/state.db").exists()
    assert "--state 'kept here'" in done.out


def test_a_chain_elsewhere_uses_its_own_project(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path.parent)
    done = bench.here("run", tmp_path / "double.yaml")
    assert done.code == 0
    assert (tmp_path / ".drawloom").is_dir()
    assert f"--project {tmp_path.name}" in done.out


@pytest.mark.slow
def test_a_narrow_terminal_breaks_lines_and_nothing_else(bench: Any) -> None:
    bench.apart("run", "failing.yaml")
    listed = bench.apart("runs", "list", COLUMNS="40")
    assert listed.code == 0
    assert max(map(len, listed.out.splitlines())) <= 40
    assert bench.runs()[0]["run"] in listed.out, "an id can be copied"


def test_no_color_is_heeded(bench: Any) -> None:
    assert "\x1b[" in bench.apart("run", "double.yaml", FORCE_COLOR="1").out
    assert "\x1b[3" not in bench.apart("run", "double.yaml", FORCE_COLOR="1", NO_COLOR="1").out


def test_a_terminal_sees_live_progress_and_gets_its_cursor_back(bench: Any) -> None:
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        ["drawloom", "run", "waiting.yaml"], cwd=bench.folder, stderr=follower,
        stdout=subprocess.PIPE, env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
    )  # fmt: skip
    bench.started.append(process)
    os.close(follower)
    shown = ""
    while "held" not in shown:
        shown += os.read(leader, 4096).decode()
    bench.open_gate()
    while True:
        try:
            shown += os.read(leader, 4096).decode()
        except OSError:  # the other end is closed
            break
    os.close(leader)
    assert process.wait(timeout=30) == 0
    assert "of 2 steps" in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l"), "the cursor is shown again"


def test_a_closed_pipe_is_no_error_message(bench: Any) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        ["drawloom", "run", "double.yaml", "--quiet"], cwd=bench.folder, stdout=write,
        stderr=subprocess.PIPE, text=True, timeout=60, check=False,
    )  # fmt: skip
    os.close(write)
    assert done.returncode == 141
    assert done.stderr == ""
    assert bench.runs()[0]["status"] == "succeeded", "the run itself was not disturbed"


def test_a_thread_that_never_ends_does_not_hold_the_command(bench: Any) -> None:
    (bench.folder / "tools.py").write_text(
        "import threading\nfrom drawloom.sdk import tool\n"
        '@tool(effect="read")\ndef stuck() -> int:\n    "Never ends."\n'
        "    threading.Event().wait()\n    return 1\n"
    )
    (bench.folder / "stuck.yaml").write_text(
        "chain: stuck\nsteps: {s: {use: my.stuck, timeout: 50ms, retry: {attempts: 1}}}\n"
    )
    done = bench.apart("run", "stuck.yaml", "--json")
    assert done.code == 1
    assert done.json["failure"]["kind"] == "timeout"
