"""Bad input gets a clear typed error that names the place: nothing started, nothing lost."""

from __future__ import annotations

import json
import re
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from shlex import quote
from typing import Any

import apsw
import pytest

pytestmark = pytest.mark.slow  # real processes, one after another


PROGRAM = Path(sys.executable).with_name("drawloom")

REST = "steps: {s: {use: core.log, with: {message: hi}}}\n"
JSON_REST = '"steps": {"s": {"use": "core.log", "with": {"message": "hi"}}}}'
EXPLOSION = "".join(f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10))

CHAINS: dict[str, tuple[str | bytes, str]] = {
    "aliases that explode.yaml": (
        f"chain: a\nvars:\n  a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]\n{EXPLOSION}{REST}",
        ":7:47: error: the document holds more than 100,000 values [too-many-values]",
    ),
    "a key twice.yaml": (
        "chain: a\nsteps:\n  s: {use: core.log, with: {message: a, message: b}}\n",
        ":3:41: error: the key 'message' is here twice; the first one is at line 3, column 29",
    ),
    "a tag.yaml": (
        f"chain: a\nvars: {{x: !!python/object/apply:os.system ['touch pwned']}}\n{REST}",
        ":2:11: error: tags (!!python/object/apply:os.system) are not read",
    ),
    "100 MB.yaml": (
        b"chain: a\nvars: {x: " + b"x" * 100_000_000 + b"}\n",
        ":1:1: error: the document has more than 1,048,576 bytes, the most that is read",
    ),
    "depth.yaml": (
        f"chain: a\nvars: {{x: {'[' * 100_000}{']' * 100_000}}}\n{REST}",
        ":2:73: error: the document is nested more than 64 levels deep [too-deep]",
    ),
    "digits.yaml": (f"chain: a\nvars: {{x: {'9' * 5_000}}}\n{REST}", ":2:11: error: 999999"),
    "not a number.yaml": (
        f"chain: a\nvars: {{x: .nan}}\n{REST}",
        ":2:11: error: .nan is not a JSON number",
    ),
    "half a character.yaml": (
        f'chain: a\nvars: {{x: "\\ud800"}}\n{REST}',
        ":2:11: error: half of a surrogate pair stands alone",
    ),
    "nothing.yaml": ("", ":1:1: error: the document: it is empty [wrong-type]"),
    "unknown fields.yaml": (
        "chain: a\nstepz: {}\nsteps: {s: {use: core.log, wth: {}, with: {message: hi}}}\n",
        ":3:28: error: 'wth' is not a field of a step [unknown-field]",
    ),
    "text for a number.yaml": (
        "chain: a\nsteps: {s: {use: core.sleep, with: {seconds: soon}}}\n",
        ':2:46: error: core.sleep: seconds does not fit: "soon" is not of type "number"',
    ),
    "a key twice.json": (
        f'{{"chain": "a", "chain": "b", {JSON_REST}',
        ":1:16: error: the key 'chain' is here twice",
    ),
    "NaN.json": (f'{{"chain": "a", "vars": {{"x": NaN}}, {JSON_REST}', ":1:30: error: not JSON"),
    "half a character.json": (
        f'{{"chain": "a", "vars": {{"x": "\\ud800"}}, {JSON_REST}',
        ":1:30: error: half of a surrogate pair stands alone",
    ),
    "digits.json": (
        f'{{"chain": "a", "vars": {{"x": {"9" * 5_000}}}, {JSON_REST}',
        ":1:30: error: 99999",
    ),
    "depth.json": (
        f'{{"chain": "a", "vars": {{"x": {"[" * 100_000}{"]" * 100_000}}}, {JSON_REST}',
        ":1:92: error: the document is nested more than 64 levels deep [too-deep]",
    ),
}


@pytest.mark.parametrize("name", CHAINS)
def test_a_bad_chain_starts_nothing(stranger: Any, name: str) -> None:
    text, said = CHAINS[name]
    done = stranger.types("run", stranger.writes(name, text))
    assert done.code == 2
    assert name + said in done.err
    assert done.out == ""
    assert len(done.err) < 3_000, "an error is to be read"
    assert done.err.count(said) == 1, "it is said once"
    assert not stranger.started_something
    assert not (stranger.folder / "pwned").exists()


def test_a_check_goes_on_after_a_file_that_cannot_be_read(stranger: Any) -> None:
    names = [stranger.writes(name, text) for name, (text, _) in CHAINS.items()]
    done = stranger.types("check", *names)
    assert done.code == 2
    assert [name for name in names if name + CHAINS[name][1] not in done.out] == []


INPUTS: dict[str, tuple[str | bytes, str]] = {
    "NaN": ('{"v": NaN}', "/v: --input-json: line 1, column 7"),
    "a key twice": ('{"v": {"a": 1, "a": 2}}', "/v/a: --input-json: line 1, column 16"),
    "half a character": ('{"v": "\\ud800"}', "/v: --input-json: line 1, column 7"),
    "not UTF-8": (b'{"v": "\xed\xa0\x80"}', "--input-json: byte 7: not UTF-8"),
    "5,000 digits": (f'{{"v": {"9" * 5_000}}}', "/v: --input-json: line 1, column 7"),
    "depth": (f'{{"v": {"[" * 100_000}{"]" * 100_000}}}', "nested more than 200 deep"),
    "an open depth": (f'{{"v": {"[" * 100_000}', "nested more than 200 deep"),
    "100 MB": (b'{"v": "' + b"x" * 100_000_000 + b'"}', "--input-json: over 67108864 bytes"),
    "beyond a double": ('{"v": 1e400}', "/v: --input-json: line 1, column 7"),
    "an unknown field": ('{"v": 1, "w": 2}', 'no field of that name is known here: "w"'),
    "text for a number": ('{"v": 1, "n": "many"}', '/n: input: "many" is not of type "integer"'),
}


@pytest.mark.parametrize("name", INPUTS)
def test_a_bad_input_starts_nothing(stranger: Any, name: str) -> None:
    given, said = INPUTS[name]
    stranger.writes(
        "inputs.yaml",
        "chain: inputs\ninput: {v: {}, n: {type: integer, default: 1}}\n"
        'steps: {s: {use: core.transform, with: {value: "${input.v}"}}}\n'
        'output: "${steps.s.value}"\n',
    )
    done = stranger.types("run", "inputs.yaml", "--input-json", "-", given=given)
    assert done.code == 2
    assert said in done.err
    assert (done.out, len(done.err) < 500) == ("", True)
    assert not stranger.started_something


HOSTILE = {
    # By its steps on a quick machine, by its time on a slow one.
    "endless": ("($f := function($n){$f($n + 1)}; $f(1))", "exceeded its budget|timeout"),
    "a gigabyte of text": (
        "($d := function($s, $n){$n = 0 ? $s : $d($s & $s, $n - 1)}; $d('x', 31))",
        "exceed the size limit",
    ),
    "a gigabyte of rows": ("$count([1..10000000].{'a': $, 'b': [1..100]})", "size limit"),
    "a regex that backtracks": (f"$match('{'a' * 50}!', /(a+)+$/)", "timeout"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_expression_is_stopped_while_others_go_on(stranger: Any, name: str) -> None:
    expression, said = HOSTILE[name]
    stranger.writes(
        "hostile.yaml",
        "chain: hostile\nsteps:\n"
        f'  bad: {{use: core.transform, on_error: continue, with: {{value: "${{{expression}}}"}}}}\n'
        '  good: {use: core.transform, for_each: "${[1..50]}", with: {value: "${item * 2}"}}\n'
        'output: "${$sum(steps.good.value)}"\n',
    )
    done = stranger.types("run", "hostile.yaml", "--json", "--watch", "--durability", "memory")
    assert done.code == 0
    assert done.json["output"] == 2550
    failure = done.json["steps"]["bad"]["failure"]
    assert failure["kind"] == "invalid"
    assert re.search(said, failure["message"]), failure
    assert f"in `{expression}" in failure["message"], "it names the expression"
    assert done.err.index("good: succeeded") < done.err.index("bad: failed")


BREAKING = {
    "raises": "RuntimeError: out of cheese",
    "lies": 'the output of my.lies: "many" is not of type "integer"',
    "gives_an_object": "/a/b: a value of type object has no JSON form",
    "gives_depth": "nested more than 200 deep",
    "gives_digits": "more than 4300 digits",
    "leaves": "SystemExit: 7",
}


@pytest.mark.parametrize("tool", BREAKING)
def test_a_tool_that_breaks_fails_its_step_alone(stranger: Any, tool: str) -> None:
    stranger.writes(
        "broken.yaml",
        f"chain: broken\nsteps:\n  s: {{use: my.{tool}, on_error: continue}}\n"
        "  t: {use: my.first, after: {s: failed}}\noutput: ${steps.t}\n",
    )
    done = stranger.types("run", "broken.yaml", "--json")
    assert (done.code, done.json["output"]) == (0, 1)
    failure = done.json["steps"]["s"]["failure"]
    assert failure["kind"] == "defect"
    assert BREAKING[tool] in failure["message"]


def test_a_tool_that_hangs_runs_out_of_time(stranger: Any) -> None:
    stranger.writes(
        "hangs.yaml",
        "chain: hangs\nsteps:\n"
        "  s: {use: my.hangs, timeout: 50ms, retry: {attempts: 1}, on_error: continue}\n"
        "  t: {use: my.hangs_once, timeout: 50ms}\n",
    )
    done = stranger.types("run", "hangs.yaml")
    assert done.code == 4
    assert "my.hangs gave no answer within 0.05 s" in done.out
    assert "Nobody can know whether t#1 had its effect" in done.out
    assert " 't#1' --succeeded" in done.out


def test_a_tool_that_kills_the_process_once_is_not_called_again(stranger: Any) -> None:
    stranger.writes(
        "kills.yaml",
        "chain: kills\nsteps:\n  a: {use: my.first}\n"
        '  b: {use: my.kills_once, with: {after: "${steps.a}"}}\n',
    )
    stranger.writes("fine.yaml", "chain: fine\nsteps: {a: {use: my.first}}\noutput: ${steps.a}\n")
    assert stranger.types("run", "kills.yaml", "--id", "killed").code == 9
    again = stranger.types("run", "fine.yaml")
    assert again.code == 0
    assert "Taken up again where an earlier process left off: killed" in again.err
    assert "run killed: unknown" in again.err
    # From then on it only waits: that is said, and in one line.
    third = stranger.types("run", "fine.yaml")
    assert "1 earlier run waiting for a person" in third.err
    assert "runs list --status unknown" in third.err
    assert "killed" not in third.err
    assert (
        stranger.types("runs", "list", "--status", "unknown").out.splitlines()[1][:6] == "killed"
    )
    assert stranger.count("killed-once") == 1


FILLS = """\
chain: fills
steps:
  a: {use: my.long_text, with: {length: 2000}, for_each: "${[1..500]}"}
output: "${$count(steps.a)}"
"""


def test_a_journal_that_cannot_be_written_is_3_and_keeps_what_was_acknowledged(
    stranger: Any,
) -> None:
    """A limit on the size of files makes a write fail in the middle."""

    def little_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))

    stranger.writes("fills.yaml", FILLS)
    stranger.writes("fine.yaml", "chain: fine\nsteps: {a: {use: my.first}}\noutput: ${steps.a}\n")
    assert stranger.types("run", "fine.yaml", "--id", "before").code == 0
    broke = stranger.types("run", "fills.yaml", "--id", "filled", preexec_fn=little_room)
    assert broke.code == 3
    assert "the journal cannot be written" in broke.err
    acknowledged = "run filled: started" in broke.err
    after = stranger.types("run", "fine.yaml", "--id", "after")
    assert after.code == 0, "there is room again: no hand is needed"
    listed = stranger.types("runs", "list", "--json").json["runs"]
    stands = {run["run"]: run["status"] for run in listed}
    assert (stands["before"], stands["after"]) == ("succeeded", "succeeded")
    assert stands.get("filled") in ({"succeeded"} if acknowledged else {"succeeded", None})
    assert stranger.types("doctor").code == 0


def test_a_full_disk_is_3_and_says_what_to_do(stranger: Any) -> None:
    """A disk of 600 kB, in a namespace of its own."""
    stranger.writes("fills.yaml", FILLS)
    stranger.writes("fine.yaml", "chain: fine\nsteps: {a: {use: my.first}}\noutput: ${steps.a}\n")
    (stranger.folder / ".drawloom").mkdir()
    mount = "mount -t tmpfs -o size=600k none .drawloom"
    own = ["unshare", "--mount", "--map-root-user", "sh", "-c"]
    if shutil.which("unshare") is None or run_in(stranger, [*own, mount]).returncode:
        pytest.skip("NOT RUN: this machine lets nobody mount a small disk (unshare --mount)")
    program = quote(str(PROGRAM))
    script = f"""{mount}
        {program} run fine.yaml --id before >&2 || exit 1
        {program} run fills.yaml --id filled >&2; echo "code $?" >&2
        {program} runs list >&2 || exit 1
        mount -o remount,size=64m .drawloom
        {program} run fine.yaml --id after >&2 || exit 1
        {program} runs list --json"""
    done = run_in(stranger, [*own, script])
    assert done.returncode == 0, done.stderr
    assert "code 3" in done.stderr
    assert "the disk of the state directory is full; nothing that was acknowledged is lost" in (
        done.stderr
    )
    stands = {run["run"]: run["status"] for run in json.loads(done.stdout)["runs"]}
    assert (stands["before"], stands["after"]) == ("succeeded", "succeeded")
    if "run filled: started" in done.stderr:
        assert stands["filled"] == "succeeded"


def run_in(stranger: Any, words: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, cwd=stranger.folder, capture_output=True, text=True, timeout=120, check=False
    )


def test_a_newer_state_directory_is_left_as_it_is(stranger: Any) -> None:
    stranger.writes("fine.yaml", "chain: fine\nsteps: {a: {use: my.first}}\noutput: ${steps.a}\n")
    assert stranger.types("run", "fine.yaml").code == 0
    store = stranger.folder / ".drawloom/state.db"
    with apsw.Connection(str(store)) as db:
        db.pragma("user_version", 999)
        db.pragma("wal_checkpoint(truncate)")
    db.close()
    before = store.read_bytes()
    for words in (
        ["run", "fine.yaml"],
        ["runs", "list"],
        ["runs", "show", "x"],
        ["runs", "cancel", "x"],
        ["runs", "resolve", "x", "a#1", "--again"],
        ["runs", "replay", "x"],
    ):
        done = stranger.types(*words)
        assert (done.code, "was written by a newer Drawloom" in done.err) == (3, True)
        assert done.out == ""
    assert stranger.types("doctor").code == 1
    assert store.read_bytes() == before


def test_a_huge_result_is_not_poured_over_the_terminal(stranger: Any) -> None:
    stranger.writes(
        "long.yaml",
        "chain: long\nsteps: {a: {use: my.long_text, with: {length: 3000000}}}\n"
        "output: ${steps.a}\n",
    )
    done = stranger.types("run", "long.yaml")
    assert done.code == 0
    assert len(done.out) < 4_000
    assert "more characters" in done.out
    run = stranger.types("runs", "list", "--json").json["runs"][0]["run"]
    assert f"All of it: drawloom runs show {run} --json" in done.out
    assert stranger.types("runs", "show", run, "--json").json["output"] == "x" * 3_000_000
