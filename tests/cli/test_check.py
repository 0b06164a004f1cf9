"""`drawloom check`: text, JSON, SARIF, and the exit codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

WRONG = """\
chain: wrong
input: {days: {type: integer}}
steps:
  a: {use: core.tranform, with: {value: "${input.dayz}"}}
  b: {use: core.sleep, with: {second: 1}}
"""


def test_a_clean_chain_is_0(bench: Any) -> None:
    done = bench.here("check", "double.yaml")
    assert (done.code, done.out) == (0, "1 file, no findings\n")


def test_all_findings_are_shown_with_place_and_advice(bench: Any) -> None:
    (bench.folder / "wrong.yaml").write_text(WRONG)
    done = bench.here("check", "wrong.yaml")
    assert done.code == 1
    assert "wrong.yaml:4:" in done.out and "wrong.yaml:5:" in done.out
    assert "core.transform" in done.out
    assert "'days'" in done.out


def test_json_counts_and_lists(bench: Any) -> None:
    (bench.folder / "wrong.yaml").write_text(WRONG)
    done = bench.here("check", "wrong.yaml", "double.yaml", "--json")
    assert done.code == 1
    told = done.json
    assert list(told) == ["files", "errors", "warnings", "unreadable", "findings"]
    assert told["files"] == 2
    assert told["errors"] == len([f for f in told["findings"] if f["severity"] == "error"]) >= 3
    assert {finding["file"] for finding in told["findings"]} == {"wrong.yaml"}


def test_sarif_is_what_code_review_reads(bench: Any) -> None:
    (bench.folder / "wrong.yaml").write_text(WRONG)
    told = bench.here("check", "wrong.yaml", "--sarif").json
    assert told["version"] == "2.1.0"
    assert told["runs"][0]["results"]


def test_what_is_no_chain_is_2(bench: Any) -> None:
    (bench.folder / "broken.yaml").write_text("chain: [\n")
    done = bench.here("check", "broken.yaml")
    assert done.code == 2
    assert "broken.yaml:" in done.out
    missing = bench.here("check", "nothing-like-it", "double.yaml", "--json")
    assert missing.code == 2
    assert missing.json["unreadable"] == ["there is no file nothing-like-it"]
    assert bench.here("check").code == 2
    folder = bench.here("check", ".")
    assert (folder.code, "is a folder" in folder.err) == (2, True)


def test_warnings_alone_are_0(bench: Any) -> None:
    (bench.folder / "warned.yaml").write_text(
        "chain: warned\ninput: {unused: {type: integer}}\n"
        "steps: {a: {use: core.log, with: {message: hi}}}\n"
    )
    done = bench.here("check", "warned.yaml")
    assert done.code == 0
    assert "1 warning" in done.out


def test_checking_starts_nothing(bench: Any, tmp_path: Path) -> None:
    before = sorted(path.name for path in tmp_path.iterdir())
    bench.here("check", "double.yaml", "failing.yaml")
    after = {path.name for path in tmp_path.iterdir()} - {"__pycache__"}
    assert sorted(after) == before
