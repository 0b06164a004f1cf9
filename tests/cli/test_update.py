"""`drawloom test --update`: what was seen becomes what is expected, and nothing else changes."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from .conftest import PROGRAM, Bench

TESTS = """\
# Tests of doubling.
chain: double
tests:
  - name: four   # not five
    input: {n: 4}
    expect:
      # the whole output
      output: {twice: 9, each: [8, 16, 99]}   # exactly
      status: succeeded
      steps:
        twice: {attempts: 3, status: succeeded} # one
        each: failed
      calls: {twice: 2, each: [{value: 8}, {value: 16}]}
      that: [output.twice > 1]
  - name: "five"
    input: {n: 5}
    expect: {output: {twice: 10, each: [10, 20, 30]}}
"""
AFTER = (
    TESTS.replace("twice: 9, each: [8, 16, 99]", "twice: 8, each: [8, 16, 24]")
    .replace("attempts: 3", "attempts: 1")
    .replace("each: failed", "each: succeeded")
    .replace("twice: 2, each: [{value: 8}, {value: 16}]",
             "twice: 1, each: [{value: 8}, {value: 16}, {value: 24}]")
)  # fmt: skip


@pytest.fixture
def file(bench: Bench) -> Path:
    path = bench.folder / "double.test.yaml"
    path.write_text(TESTS)
    return path


def test_values_change_and_nothing_else(bench: Bench, file: Path) -> None:
    done = bench.here("test", "--update", "--yes")
    assert done.code == 0, done.err
    assert file.read_text() == AFTER
    assert "-      output: {twice: 9," in done.out
    assert "+      output: {twice: 8," in done.out
    kept = file.with_name("double.test.yaml.bak")
    assert str(kept) in done.err
    assert kept.read_text() == TESTS
    again = bench.here("test", "--update", "--yes")
    assert (again.code, "nothing to update" in again.err) == (0, True)


def test_nothing_is_written_without_a_yes(bench: Bench, file: Path) -> None:
    done = bench.here("test", "--update")
    assert (done.code, "--yes writes it" in done.err) == (1, True)
    assert "+      output: {twice: 8," in done.out
    told = bench.here("test", "--update", "--json").json["update"]
    assert (told["written"], told["files"][0]["backup"]) == (False, None)
    assert "+      output: {twice: 8," in told["files"][0]["diff"]
    assert file.read_text() == TESTS
    assert bench.here("test", "--yes").code == 2


@pytest.mark.slow
@pytest.mark.parametrize(("word", "after", "code"), [("y", AFTER, 0), ("", TESTS, 1)])
def test_a_person_at_a_terminal_is_asked(
    bench: Bench, file: Path, word: str, after: str, code: int
) -> None:
    """A pseudo-terminal stands for the person's."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [PROGRAM, "test", "--update"],
        cwd=bench.folder, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        os.close(theirs)
        assert process.stderr is not None
        asked = ""
        while "[y/N]" not in asked:
            read = process.stderr.read(1)
            assert read, asked
            asked += read
        assert file.read_text() == TESTS
        os.write(ours, f"{word}\n".encode())
        process.communicate(timeout=60)
    os.close(ours)
    assert (process.returncode, file.read_text()) == (code, after)


def test_a_wrong_test_is_left_alone(bench: Bench) -> None:
    path = bench.folder / "paying.test.yaml"
    path.write_text("tests: [{name: a, expect: {output: {paid: 1}}}]\n")
    done = bench.here("test", "--update", "--yes", "--json")
    assert (done.code, done.json["wrong"]) == (1, 1)
    assert done.json["update"]["left"][0]["test"] == "a"
    assert path.read_text() == "tests: [{name: a, expect: {output: {paid: 1}}}]\n"


def test_what_expect_does_not_name_is_not_added(bench: Bench) -> None:
    """A failing run that nobody expects, and a condition: both are for a person to decide."""
    path = bench.folder / "failing.test.yaml"
    path.write_text("tests: [{name: a, expect: {steps: {bad: succeeded}, that: [output = 1]}}]\n")
    done = bench.here("test", "--update", "--yes")
    assert done.code == 1
    assert path.read_text() == (
        "tests: [{name: a, expect: {steps: {bad: failed}, that: [output = 1]}}]\n"
    )
    left = done.err.partition("not updated: ")[2]
    assert "status: expected succeeded, got failed" in left
    assert "that: `output = 1`" in left
    assert "steps" not in left


def test_tests_in_the_chain_itself_are_updated(bench: Bench) -> None:
    path = bench.folder / "double.yaml"
    text = path.read_text()
    path.write_text(f"{text}tests:\n  - {{name: a, expect: {{calls: {{each: 7}}}}}} # why\n")
    assert bench.here("test", "double.yaml", "--update", "--yes").code == 0
    assert path.read_text() == (
        f"{text}tests:\n  - {{name: a, expect: {{calls: {{each: 3}}}}}} # why\n"
    )


def test_a_recorded_file_is_updated_where_the_value_stands(bench: Bench) -> None:
    path, beside = bench.folder / "double.test.yaml", bench.folder / "double.recorded.json"
    text = "tests: [{name: a, recorded: double.recorded.json, expect: {calls: {each: 7}}}]\n"
    path.write_text(text)
    big = 12345678901234567890123
    recorded = {"answers": {}, "expect": {"output": {"twice": big, "each": []}}}
    beside.write_text(json.dumps(recorded, indent=3))
    done = bench.here("test", "--update", "--yes")
    assert done.code == 0, done.err
    assert path.read_text() == text.replace("7", "3")
    recorded["expect"] = {"output": {"twice": 4, "each": [4, 8, 12]}}
    assert beside.read_text() == json.dumps(recorded, indent=3)


def test_secrets_stay_masked_and_new_ones_are_masked(bench: Bench) -> None:
    (bench.folder / "login.yaml").write_text(
        "chain: login\ninput: {word: {type: string}}\n"
        'steps: {one: {use: core.transform, with: {value: {password: "${input.word}", n: 2}}}}\n'
        'output: "${steps.one.value}"\n'
    )
    path = bench.folder / "login.test.yaml"
    path.write_text(
        "tests:\n"
        '  - {name: a, input: {word: open}, expect: {output: {password: "***", n: 1}}}\n'
        "  - {name: b, input: {word: sesame}, expect: {output: {n: 2}}}\n"
    )
    done = bench.here("test", "--update", "--yes")
    assert done.code == 1
    outputs = [line.partition("expect: ")[2] for line in path.read_text().splitlines()[1:]]
    assert outputs == [
        '{output: {password: "***", n: 2}}}',
        '{output: {n: 2, password: "***"}}}',
    ]
    assert done.err.count("not updated") == 2


def test_a_file_that_changed_meanwhile_is_not_overwritten(
    bench: Bench, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody saves the file between the question and the answer."""
    from drawloom.cli import updating

    def saved(files: int) -> bool:
        file.write_text(TESTS + "# mine\n")
        return True

    monkeypatch.setattr(updating, "_agreed", saved)
    done = bench.here("test", "--update")
    assert (done.code, "has changed meanwhile; nothing was written" in done.err) == (2, True)
    assert file.read_text() == TESTS + "# mine\n"
    assert not file.with_name("double.test.yaml.bak").exists()
