"""`drawloom init`, `completion`, `version` and the help."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

COMMANDS = [
    ["run"], ["check"], ["tools"], ["tools", "list"], ["tools", "show"], ["tools", "call"],
    ["runs"], ["runs", "list"], ["runs", "show"], ["runs", "follow"], ["runs", "cancel"],
    ["runs", "resolve"], ["runs", "replay"], ["schema"], ["schema", "chain"], ["schema", "tool"],
    ["schema", "connection"], ["doctor"], ["init"], ["completion"], ["version"],
]  # fmt: skip
GROUPS = ("tools", "runs", "schema")


@pytest.mark.slow
def test_a_new_project_runs_at_once_and_its_test_passes(bench: Any) -> None:
    assert bench.here("init", "fresh").code == 0
    fresh = bench.folder / "fresh"
    assert bench.here("check", "fresh/hello.yaml").out == "1 file, no findings\n"
    assert bench.here("test", "fresh").code == 0
    done = bench.here("run", "fresh/hello.yaml", "--json", "-i", "least=50")
    assert done.code == 0
    assert done.json["output"] == {"greetings": ["Tea sold for 55.00: well done!"]}
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_hello.py"],
        cwd=fresh, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "1 passed" in tested.stdout, tested.stdout


def test_init_overwrites_nothing(bench: Any) -> None:
    before = (bench.folder / "tools.py").read_text()
    done = bench.here("init")
    assert done.code == 2
    assert "already has drawloom.toml, tools.py; nothing was written" in done.err
    assert (bench.folder / "tools.py").read_text() == before
    assert not (bench.folder / "hello.yaml").exists()
    (bench.folder / "file").touch()
    assert bench.here("init", "file/below").code == 2


def test_init_tells_what_it_wrote_in_json(bench: Any) -> None:
    told = bench.here("init", "fresh", "--json").json
    assert told["folder"] == "fresh"
    assert sorted(told["files"]) == sorted(
        path.name for path in (bench.folder / "fresh").iterdir()
    )


def test_version_in_both_forms(bench: Any) -> None:
    told = bench.here("version", "--json").json
    assert set(told) == {"drawloom", "python", "sqlite", "store"}
    assert bench.here("version").out.startswith(f"drawloom {told['drawloom']}\n")
    assert told["drawloom"] in bench.here("--version").out


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(bench: Any, words: list[str]) -> None:
    done = bench.here(*words, "--help")
    assert done.code == 0
    assert f"Usage: drawloom {' '.join(words)}" in done.out
    if words[-1] not in (*GROUPS, "version"):
        assert f"drawloom {' '.join(words)}" in done.out.partition("For example:")[2]


def test_help_lists_every_command_and_every_exit_code(bench: Any) -> None:
    told = bench.here("--help").out
    for words in COMMANDS:
        if len(words) == 1:
            assert f"  {words[0]}: " in told
    for code in ("0", "1", "2", "3", "4", "130"):
        assert f"{code} " in told.partition("Exit codes:")[2]


def test_a_mistyped_command_has_its_neighbour_suggested(bench: Any) -> None:
    done = bench.here("runs", "lst")
    assert done.code == 2
    assert 'Did you mean "list"?' in done.err
    assert "drawloom runs --help" in done.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_and_installed(
    bench: Any, shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = bench.here("completion", shell, "--show")
    assert script.code == 0
    assert "replay" in script.out
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ZSH_CUSTOM", raising=False)
    (tmp_path / "home").mkdir()
    done = bench.here("completion", shell)
    assert done.code == 0
    assert str(tmp_path / "home") in done.out


def test_a_defect_is_one_message_and_a_traceback_on_request(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a screw is loose")

    monkeypatch.setattr("drawloom.project.starting.start_project", broken)
    done = bench.here("init", "fresh")
    assert done.code == 70
    assert "a screw is loose" in done.err and "DRAWLOOM_DEBUG=1" in done.err
    assert "Traceback" not in done.err
    monkeypatch.setenv("DRAWLOOM_DEBUG", "1")
    assert "Traceback" in bench.here("init", "fresh").err
