"""Tests of a part of a chain: steps that are pinned, and those that alone run."""

from __future__ import annotations

import pytest
from tests.testing.shop import CATALOGUE, CHAIN, passes, ran

from drawloom.chains import load
from drawloom.chains.check import check

ROUTE = """\
chain: route
steps:
  look: {use: my.look}
  mend: {use: core.transform, after: {look: failed}, with: {value: "${failures.look.kind}"}}
output: "${steps.mend.value ?? 'none'}"
"""


def test_a_pinned_step_is_not_run_and_needs_no_answer() -> None:
    passes("""
  - name: from the second step on
    pins: {late: {output: {id: 4}}}
    answers: {paid: {output: {paid: 8}}}
    expect: {output: {more: 8, paid: 8}, calls: {late: 0, paid: [{amount: 8}]}}
""")


def test_a_pin_may_have_failed_or_been_skipped() -> None:
    tests = """
  - {name: failed, pins: {look: {fail: {kind: denied, message: no}}}, expect: {output: denied}}
"""
    passes(tests, ROUTE)
    outcome = ran("\n  - {name: skipped, pins: {look: skipped}, expect: {output: none}}\n", ROUTE)
    assert outcome.verdict == "passed", outcome.lines
    assert outcome.result is not None
    assert outcome.result.steps["mend"].status == "skipped"


def test_a_part_gives_what_its_steps_give() -> None:
    passes("""
  - name: the second step alone
    pins: {late: {output: {id: 4}}}
    only: [more]
    expect: {output: {more: 8}, steps: {paid: skipped}}
""")


def test_a_part_that_lacks_what_it_needs_is_wrong() -> None:
    outcome = ran("\n  - {name: a part, only: [more]}\n")
    assert outcome.verdict == "wrong"
    assert "step 'more' needs 'late', which is neither run nor pinned" in outcome.lines[0]


def test_a_pin_wins_over_an_answer_for_the_whole_step() -> None:
    outcome = ran(
        """
  - {name: twice said, pins: {ask: {output: 1}}, answers: {ask: {output: {approved: true}}}}
""",
        "chain: asks\nsteps: {ask: {use: core.approve, with: {title: well}}}\n",
    )
    assert outcome.verdict == "wrong"
    assert outcome.lines[0].startswith("answers.ask was never asked for")


@pytest.mark.parametrize(
    ("test", "code", "suggestion"),
    [
        ("pins: {§latte: skipped}", "unknown-in-test", "did you mean 'late'?"),
        ("pins: {late: §{}}", "bad-test", ""),
        ("pins: {late: §done}", "bad-value", "write `skipped`"),
        ("pins: {late: §{output: 1, fail: {kind: denied}}}", "bad-test", ""),
        ("only: [§latte]", "unknown-in-test", "did you mean 'late'?"),
        ("pins: {late: skipped}\n    only: [§late]", "bad-test", "take it out of one"),
    ],
)
def test_a_part_is_checked(test: str, code: str, suggestion: str) -> None:
    before, _, after = f"{CHAIN}tests:\n  - name: a\n    {test}\n".partition("§")
    if code == "bad-value":
        from drawloom.chains.check import check_text

        found = check_text(before + after, CATALOGUE)
    else:
        found = check(load(before + after, file="shop.yaml"), CATALOGUE)
    assert [f.code for f in found] == [code], [*map(str, found)]
    place = (before.count("\n") + 1, len(before) - before.rfind("\n"))
    assert (found[0].line, found[0].column) == place
    assert suggestion in found[0].suggestion
