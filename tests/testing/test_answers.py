"""What tools answer in a test: by step, item, call and tool, and what fits."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.testing.shop import CATALOGUE, CHAIN, EACH, passes, ran

from drawloom.chains import compile_chain, load
from drawloom.testing import case_of, run_case


def test_a_faked_answer_goes_through_real_pure_tools() -> None:
    passes("""
  - name: two
    answers: {late: {output: {id: 1}}}
    expect: {output: {more: 2, paid: 0}, steps: {paid: skipped}, calls: {late: [{id: 1}], paid: 0}}
""")


def test_a_tool_that_is_not_answered_is_not_called() -> None:
    outcome = ran("\n  - {name: nothing}\n")
    assert outcome.verdict == "wrong"
    assert outcome.lines == (
        (
            "step late calls my.look (read), and the test gives no answer; "
            "add `answers: {late: {output: …}}`"
        ),
    )


def test_a_tool_may_be_answered_wherever_it_is_used() -> None:
    passes("""
  - name: by tool
    answers: {my.look: {output: {id: 5}}, my.pay: {output: {paid: 10}}}
    expect: {output: {more: 10, paid: 10}, calls: {paid: [{amount: 10}]}}
""")


def test_faults_and_retries_take_no_time() -> None:
    outcome = ran("""
  - name: at the third attempt
    answers:
      late:
        - {fail: {kind: transient, message: gone}, times: 2}
        - {output: {id: 1}, after: 20s}
    expect: {calls: {late: 3}, steps: {late: {status: succeeded, attempts: 3}}}
""")
    assert outcome.verdict == "passed", outcome.lines
    assert outcome.seconds < 5


def test_an_answer_that_takes_too_long_is_a_timeout() -> None:
    passes(
        """
  - name: slow
    answers: {late: {output: {id: 1}, after: 10m}}
    expect: {failure: {kind: timeout, contains: no answer within 5 s}, calls: {late: 3}}
""",
        CHAIN.replace("retry: {attempts: 3, delay: 1m}", "timeout: 5s"),
    )


def test_answers_by_item_and_by_call() -> None:
    passes(
        """
  - name: items
    answers:
      look: {output: {id: 0}}
      "look[1]": {output: {id: 11}}
      "look[2]#1": {fail: {kind: transient}}
      "look[2]#2": {output: {id: 22}}
    expect: {output: [0, 11, 22], calls: {look: 4}}
""",
        EACH,
    )


def test_what_the_engine_does_itself_can_be_answered_as_a_whole() -> None:
    passes(
        "\n  - {name: yes, answers: {ask: {output: {approved: true}}}, expect: {output: true}}\n",
        """\
chain: asks
steps:
  ask: {use: core.approve, with: {title: well}}
output: "${steps.ask.approved}"
""",
    )


def test_an_answer_that_nobody_asks_for_is_an_error() -> None:
    outcome = ran("""
  - name: too much
    answers: {late: {output: {id: 1}}, paid: {output: {paid: 1}}}
""")
    assert outcome.verdict == "wrong"
    assert outcome.lines[0].startswith("answers.paid was never asked for")


@pytest.mark.parametrize(
    ("count", "line"),
    [
        (1, "answers.late has 1, and late#2 is call 2"),
        (3, "answers.late has 3, and 2 were asked for"),
    ],
)
def test_a_list_of_answers_must_be_used_up(count: int, line: str) -> None:
    """A failure is all that is asked for at first, and the retry comes to the output."""
    entries = ["{fail: {kind: transient}}", "{output: {id: 1}}", "{output: {id: 1}}"]
    outcome = ran(
        f"\n  - {{name: a list, answers: {{late: [{', '.join(entries[:count])}]}}}}\n",
        CHAIN.replace("attempts: 3", "attempts: 2"),
    )
    assert outcome.verdict == "wrong"
    assert outcome.lines[0].startswith(line)


def test_an_answer_must_fit_its_tool() -> None:
    outcome = ran("\n  - {name: misfit, answers: {late: {output: {id: text}}}}\n")
    assert outcome.verdict == "wrong"
    assert "my.look cannot give that" in outcome.lines[0]


def test_what_is_undone_is_answered_and_counted() -> None:
    passes(
        """
  - name: taken back
    answers: {one: {output: {paid: 3}}, one!undo: {output: {paid: 0}}, two: {fail: {kind: denied}}}
    expect:
      failure: {kind: denied}
      calls: {one: [{amount: 3}], one!undo: [{amount: -3}], two: 1}
""",
        """\
chain: saga
steps:
  one: {use: my.pay, with: {amount: 3}, compensate: {use: my.pay, with: {amount: -3}}}
  two: {use: my.look, after: [one], with: {id: 1}}
""",
    )


def test_the_chain_of_a_failure_is_answered_like_a_sub_chain() -> None:
    inner = load("chain: inner\nsteps: {tell: {use: my.pay, with: {amount: 1}}}\n")
    outer = load("""\
chain: outer
on_failure: inner
steps: {bad: {use: core.fail, with: {message: no luck}}}
tests:
  - name: told
    answers: {inner/tell: {output: {paid: 1}}}
    expect: {status: failed, calls: {inner/tell: 1}}
  - {name: not told, expect: {status: failed}}
""")
    plan = compile_chain(outer, CATALOGUE.find, find_chain=lambda name: inner)
    outcomes = [run_case(case_of(test, Path()), plan, CATALOGUE) for test in outer.tests]
    assert [o.verdict for o in outcomes] == ["passed", "wrong"], outcomes
