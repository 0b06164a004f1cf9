"""What a test expects, and how it says what is not met."""

from __future__ import annotations

import pytest
from tests.testing.shop import passes, ran


def test_a_run_may_be_expected_to_stand_as_unknown() -> None:
    passes("""
  - name: lost
    answers: {late: {output: {id: 3}}, paid: {fail: {kind: lost}}}
    expect: {status: unknown, steps: {paid: unknown}}
""")


def test_conditions_read_what_came_of_the_run() -> None:
    passes("""
  - name: conditions
    answers: {late: {output: {id: 5}}, paid: {output: {paid: 9}}}
    expect:
      that:
        - output.more = 10 and input.n = 1
        - calls.paid[0].amount = 10
        - steps.late.id = 5
""")
    outcome = ran("""
  - name: conditions
    answers: {late: {output: {id: 1}}}
    expect: {that: [output.more = 3]}
""")
    assert outcome.verdict == "failed"
    assert outcome.lines[0].startswith("that: `output.more = 3` is not true")


@pytest.mark.parametrize(
    ("expect", "line"),
    [
        ("{status: failed}", "status: expected failed, got succeeded"),
        ("{output: {more: 3, paid: 0}}", "output/more: expected 3, got 2"),
        ("{output: {more: 2}}", "output/paid: not expected, got 0"),
        (
            "{output: {more: 2, paid: 0, x: [1]}}",
            "output/x: expected [1], and it is not there",
        ),
        ("{output: {more: true, paid: 0}}", "output/more: expected true, got 2"),
        ("{steps: {paid: succeeded}}", "steps.paid.status: expected succeeded, got skipped"),
        ("{steps: {late: {attempts: 2}}}", "steps.late.attempts: expected 2, got 1"),
        ("{steps: {late: {output: {id: 2}}}}", "steps.late.output/id: expected 2, got 1"),
        ("{steps: {late: {failure: timeout}}}", "steps.late.failure: expected timeout, got none"),
        ("{calls: {paid: 1}}", "calls.paid: expected 1, got 0"),
        ("{calls: {late: 0}}", 'calls.late: expected 0, got 1: [{"id": 1}]'),
        ("{calls: {late: [{id: 2}]}}", "calls.late/0/id: expected 2, got 1"),
    ],
)
def test_each_expectation_that_is_not_met_says_where(expect: str, line: str) -> None:
    outcome = ran(f"""
  - name: wrong
    answers: {{late: {{output: {{id: 1}}}}}}
    expect: {expect}
""")
    assert (outcome.verdict, outcome.lines) == ("failed", (line,))


@pytest.mark.parametrize(
    ("failure", "line"),
    [
        ("{kind: denied}", "failure.kind: expected denied, got missing"),
        ("{message: well}", "failure.message: expected 'well', got "),
        ("{contains: well}", "failure.contains: 'well' is not in "),
    ],
)
def test_an_expected_failure_is_compared(failure: str, line: str) -> None:
    outcome = ran(f"""
  - name: wrong
    answers: {{late: {{fail: {{kind: missing, message: no such order}}}}}}
    expect: {{failure: {failure}}}
""")
    assert outcome.verdict == "failed"
    assert [found.startswith(line) for found in outcome.lines] == [True]
