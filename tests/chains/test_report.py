from __future__ import annotations

import json
from typing import Any

import pytest

from drawloom.chains import Finding
from drawloom.chains.check import check_text
from drawloom.chains.findings import did_you_mean
from drawloom.chains.report import as_json, as_text
from drawloom.chains.rules import RULES
from drawloom.chains.sarif import as_sarif


@pytest.fixture
def found(shelf: Any) -> tuple[Finding, ...]:
    text = "chain: a\nsteps:\n  x: {use: core.ad, note: é}\n  y: {use: core.transform, with: {value: 1}}\n"
    return check_text(text, shelf, file="my chains/a.yaml")


def test_text_shows_the_line_with_a_caret_under_the_place(found: tuple[Finding, ...]) -> None:
    assert as_text(found) == (
        "my chains/a.yaml:3:12: error: there is no tool 'core.ad' [unknown-tool]\n"
        "  |   x: {use: core.ad, note: é}\n"
        "  |            ^\n"
        "  = did you mean 'core.add'?\n"
        "\n"
        "my chains/a.yaml:4:3: warning: nobody reads what the step 'y' gives, and it does nothing "
        "else [unused-step]\n"
        "  |   y: {use: core.transform, with: {value: 1}}\n"
        "  |   ^\n"
        "  = remove it, or use it\n"
        "\n"
        "1 error, 1 warning"
    )


def test_a_caret_stands_right_under_tabs_and_in_long_lines() -> None:
    tabbed = Finding("yaml-syntax", "m", line=1, column=3, excerpt="\tab")
    assert as_text([tabbed]).split("\n")[2] == "  | \t ^"
    long = Finding("yaml-syntax", "m", line=1, column=501, excerpt="a" * 500 + "X" + "b" * 500)
    _, shown, caret, *_ = as_text([long]).split("\n")
    assert shown[caret.index("^")] == "X"
    assert len(shown) < 120


def test_json_leaves_out_what_says_nothing(found: tuple[Finding, ...]) -> None:
    first, second = json.loads(as_json(found))
    assert first["code"] == "unknown-tool"
    assert (first["line"], first["column"], first["pointer"]) == (3, 12, "/steps/x/use")
    assert "witness" not in first
    assert second["severity"] == "warning"


def test_sarif_has_a_rule_for_each_result(found: tuple[Finding, ...]) -> None:
    log = json.loads(as_sarif(found, version="1.2.3"))
    assert log["version"] == "2.1.0"
    [run] = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    for result, finding in zip(run["results"], found, strict=True):
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == finding.code
        assert rules[result["ruleIndex"]]["shortDescription"]["text"] == RULES[finding.code]
        assert result["level"] == finding.severity
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "my%20chains/a.yaml"
        assert place["region"] == {"startLine": finding.line, "startColumn": finding.column}
    assert run["tool"]["driver"]["version"] == "1.2.3"


def test_sarif_without_a_text_names_the_place_in_the_document() -> None:
    [result] = json.loads(as_sarif([Finding("cycle", "m", pointer="/steps/a")]))["runs"][0][
        "results"
    ]
    assert result["locations"] == [{"logicalLocations": [{"fullyQualifiedName": "/steps/a"}]}]


@pytest.mark.parametrize(
    ("word", "known", "said"),
    [("emial", ["email", "id"], "did you mean 'email'?"), ("ID", ["id"], "did you mean 'id'?"),
     ("zzz", ["email"], ""), ("x", [], "")],
)  # fmt: skip
def test_did_you_mean_guesses_only_what_is_near(word: str, known: list[str], said: str) -> None:
    assert did_you_mean(word, known) == said
