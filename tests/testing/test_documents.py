"""Tests as they are written: the input, files beside them, and what the static check says."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.testing.shop import CATALOGUE, CHAIN, chain, passes, ran

from drawloom.chains import compile_chain, load
from drawloom.chains.check import check, check_text, findings_of_tests
from drawloom.errors import ValueInvalid
from drawloom.runtime import Catalogue
from drawloom.sdk import tool
from drawloom.testing import case_of, run_case


def test_input_that_does_not_fit_is_an_error() -> None:
    outcome = ran("\n  - {name: input, input: {n: text}}\n")
    assert outcome.verdict == "wrong"
    assert "/n" in outcome.lines[0]


def test_the_beginning_and_the_run_can_be_given() -> None:
    passes(
        """
  - name: when
    now: "2026-01-31T08:00:00+01:00"
    run: r-7
    expect: {output: {run: r-7, now: "2026-01-31T07:00:00.000Z"}}
""",
        """\
chain: when
steps:
  one: {use: core.transform, with: {value: {run: "${run.id}", now: "${$now()}"}}}
output: "${steps.one.value}"
""",
    )


def test_a_test_that_never_ends_is_stopped() -> None:
    text = "chain: a\nsteps: {wait: {use: my.hang}}\ntests: [{name: never}]\n"

    @tool(effect="pure", timeout=600)
    async def hang() -> int:
        """Hang in real time."""
        import asyncio

        await asyncio.Event().wait()
        return 1

    catalogue = Catalogue([hang])
    found = load(text)
    plan = compile_chain(found, catalogue.find)
    outcome = run_case(case_of(found.tests[0], Path()), plan, catalogue, longest=0.05)
    assert outcome.lines == ("the test took longer than 0.05 s of real time",)


def test_a_recorded_file_stands_beneath_the_test(tmp_path: Path) -> None:
    (tmp_path / "big.json").write_text(
        '{"answers": {"late": {"output": {"id": 1}}}, "expect": {"output": {"more": 2, "paid": 1}}}'
    )
    outcome = ran(
        "\n  - {name: recorded, recorded: big.json, expect: {status: succeeded}}\n",
        CHAIN,
        tmp_path,
    )
    assert outcome.lines == ("output/paid: expected 1, got 0",)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("none.json", None, "cannot read"),
        ("../out.json", "{}", "is outside"),
        ("a.json", "[1]", "must be an object"),
        ("a.json", '{"name": "x"}', "must be an object with some of"),
        ("a.json", '{"input": 3}', "must be an object"),
        ("a.json", "{", "a.json"),
    ],
)
def test_a_recorded_file_that_is_wrong(
    tmp_path: Path, name: str, text: str | None, says: str
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    if text is not None:
        (folder / name).write_text(text)
    with pytest.raises(ValueInvalid, match=says):
        case_of({"name": "a", "recorded": name}, folder)


# What the static check says, with the place: a § stands before it.
FINDINGS = [
    ("answers: {§latte: {output: 1}}", "unknown-in-test", "did you mean 'late'?"),
    ("answers: {§my.lok: {output: 1}}", "unknown-in-test", "did you mean 'my.look'?"),
    ("answers: {§other/late: {output: 1}}", "unknown-in-test", "CHAIN/STEP"),
    ("answers: {§late!undo: {output: 1}}", "unknown-in-test", "compensate"),
    ("answers: {late: §{after: 1s}}", "bad-answer", "output: null"),
    ("answers: {late: [§{output: {id: 1}, fail: {kind: denied}}]}", "bad-answer", "output"),
    ("answers: {late: {output: {id: §x}}}", "bad-answer", "drawloom tools show my.look"),
    ("events: [§{at: 1s}]", "bad-test", ""),
    ("events: [§{approve: late}]", "bad-test", "add `by: …`"),
    ("events: [{reject: §latte, by: me}]", "unknown-in-test", "did you mean 'late'?"),
    ("expect: {steps: {§latte: skipped}}", "unknown-in-test", "did you mean 'late'?"),
    ("expect: {calls: {§latte: 1}}", "unknown-in-test", "did you mean 'late'?"),
    ("expect: {that: [§'1 +']}", "bad-test", ""),
    ("expect: {that: [§outpt = 1]}", "bad-test", "did you mean 'output'?"),
    ("now: §yesterday", "bad-test", "2026-01-31"),
]


@pytest.mark.parametrize(("test", "code", "suggestion"), FINDINGS)
def test_a_wrong_test_is_found_in_its_place(test: str, code: str, suggestion: str) -> None:
    before, _, after = f"{CHAIN}tests:\n  - name: a\n    {test}\n".partition("§")
    found = check(load(before + after, file="shop.yaml"), CATALOGUE)
    assert [(f.code, f.severity) for f in found] == [(code, "warning")], [*map(str, found)]
    assert (found[0].line, found[0].column) == (
        before.count("\n") + 1,
        len(before) - before.rfind("\n"),
    )
    assert suggestion in found[0].suggestion


def test_two_tests_of_one_name() -> None:
    found = findings_of_tests(chain("\n  - {name: a}\n  - {name: a}\n"), CATALOGUE)
    assert [(f.code, f.pointer) for f in found] == [("bad-test", "/tests/1/name")]


def test_a_broken_test_does_not_hide_or_shift_what_else_is_wrong() -> None:
    text = CHAIN.replace("output:", "  bad: {use: my.lok}\noutput:")
    text += "tests:\n  - {expect: {}}\n  - {name: a, answers: {gone: {output: 1}}}\n"
    found = check_text(text, CATALOGUE)
    assert [(f.code, f.line) for f in found if f.severity == "error"] == [
        ("unknown-tool", 10),
        ("missing-field", 13),
    ]
