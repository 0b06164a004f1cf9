"""What happens from outside while a test's run goes on."""

from __future__ import annotations

from pathlib import Path

from tests.testing.shop import CATALOGUE, passes, ran

from drawloom.chains import compile_chain, load
from drawloom.testing import case_of, run_case


def test_an_unknown_outcome_is_resolved_by_an_event() -> None:
    passes("""
  - name: lost, and then found
    answers: {late: {output: {id: 3}}, paid: {fail: {kind: lost}}}
    events: [{resolve: "paid#1", outcome: succeeded, output: {paid: 6}}]
    expect: {output: {more: 6, paid: 6}}
""")


def test_cancelling_at_a_moment() -> None:
    passes("""
  - name: stopped while it looks
    answers: {late: {output: {id: 3}, after: 20s}}
    events: [{at: 10s, cancel: enough}]
    expect: {status: cancelled, calls: {paid: 0}}
""")


def test_a_signal_is_sent_to_a_run_that_waits() -> None:
    passes(
        """
  - name: signalled
    events: [{signal: paid, payload: {sum: 7}}]
    expect: {output: 7}
""",
        """\
chain: waits
steps:
  wait: {use: core.wait, with: {signal: paid, deadline: 3d}}
output: "${steps.wait.payload.sum}"
""",
    )


def test_the_deadline_of_a_wait_comes_by_itself() -> None:
    passes(
        "\n  - {name: late, expect: {that: [status = 'succeeded', output = false]}}\n",
        """\
chain: waits
steps:
  ask: {use: core.approve, with: {title: well, deadline: 3d, on_deadline: reject}}
output: "${steps.ask.approved}"
""",
    )


def test_an_event_that_cannot_happen_is_an_error() -> None:
    outcome = ran("""
  - name: events
    answers: {late: {output: {id: 1}}}
    events: [{at: 1h, cancel: enough}, {resolve: "paid#1", outcome: again}]
""")
    assert outcome.verdict == "wrong"
    assert [line.partition(":")[2].strip() for line in outcome.lines] == [
        "cancel enough never happened: the run was over before",
        "resolve paid#1 never happened: the run was over before",
    ]


def test_an_event_that_the_run_refuses_is_an_error() -> None:
    outcome = ran("""
  - name: events
    answers: {late: {output: {id: 3}}, paid: {fail: {kind: lost}}}
    events: [{resolve: "late#1", outcome: again}]
    expect: {status: unknown}
""")
    assert outcome.verdict == "wrong"
    assert "does not wait for 'late#1'" in outcome.lines[0]


def test_an_approval_inside_a_sub_chain() -> None:
    inner = load(
        "chain: inner\nsteps: {ask: {use: core.approve, with: {title: well}}}\noutput: yes\n"
    )
    outer = load("""\
chain: outer
steps: {sub: {use: core.chain, with: {chain: inner}}}
tests:
  - {name: said, events: [{at: 1h, approve: inner/ask, by: me}]}
  - {name: waits, expect: {status: waiting}}
  - {name: never, events: [{at: 1h, approve: other/ask, by: me}], expect: {status: waiting}}
""")
    plan = compile_chain(outer, CATALOGUE.find, find_chain=lambda name: inner)
    outcomes = [run_case(case_of(test, Path()), plan, CATALOGUE) for test in outer.tests]
    assert [o.verdict for o in outcomes] == ["passed", "passed", "wrong"], outcomes
    assert "no run of chain 'other' is under way" in outcomes[2].lines[0]
