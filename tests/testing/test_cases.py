"""Tests of chains: what they answer, what they expect, and how they say that they are wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import TypedDict

from drawloom.chains import Chain, compile_chain, load
from drawloom.chains.check import check, check_text, findings_of_tests
from drawloom.errors import ValueInvalid
from drawloom.runtime import Catalogue
from drawloom.sdk import Chunk, Context, tool
from drawloom.testing import Coverage, Outcome, case_of, run_case

touched: list[str] = []


@pytest.fixture(autouse=True)
def untouched() -> Any:
    touched.clear()
    yield
    assert touched == [], "a test of a chain touched the outside"


class Order(TypedDict):
    """What a look gives."""

    id: int


class Paid(TypedDict):
    """What a payment gives."""

    paid: int


@tool(effect="read")
async def look(id: int = 0) -> Order:
    """Look at something outside."""
    touched.append("look")
    return {"id": id}


@tool(effect="once")
async def pay(amount: int) -> Paid:
    """Pay."""
    touched.append("pay")
    return {"paid": amount}


@tool(effect="pure")
def twice(n: int) -> int:
    """Twice a number."""
    return n * 2


CATALOGUE = Catalogue([look, pay, twice])

CHAIN = """\
chain: shop
input: {n: {type: integer, default: 1}}
steps:
  late: {use: my.look, with: {id: "${input.n}"}, retry: {attempts: 3, delay: 1m}}
  more: {use: my.twice, with: {n: "${steps.late.id}"}}
  paid:
    use: my.pay
    with: {amount: "${steps.more}"}
    when: steps.more > 2
output: {more: "${steps.more}", paid: "${steps.paid.paid ?? 0}"}
"""
EACH = """\
chain: each
steps:
  look: {use: my.look, for_each: [1, 2, 3], with: {id: "${item}"}, retry: {attempts: 2}}
output: "${steps.look.id}"
"""


def chain(tests: str, text: str = CHAIN) -> Chain:
    return load(f"{text}tests:\n{tests}", file="shop.yaml")


def ran(tests: str, text: str = CHAIN, folder: Path = Path()) -> Outcome:
    """The outcome of the one test."""
    found = chain(tests, text)
    plan = compile_chain(found, CATALOGUE.find)
    return run_case(case_of(found.tests[0], folder), plan, CATALOGUE)


def passes(tests: str, text: str = CHAIN) -> None:
    outcome = ran(tests, text)
    assert outcome.verdict == "passed", outcome.lines


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


def test_an_unknown_outcome_is_resolved_by_an_event() -> None:
    passes("""
  - name: lost, and then found
    answers: {late: {output: {id: 3}}, paid: {fail: {kind: lost}}}
    events: [{resolve: "paid#1", outcome: succeeded, output: {paid: 6}}]
    expect: {output: {more: 6, paid: 6}}
""")


def test_a_run_may_be_expected_to_stand_as_unknown() -> None:
    passes("""
  - name: lost
    answers: {late: {output: {id: 3}}, paid: {fail: {kind: lost}}}
    expect: {status: unknown, steps: {paid: unknown}}
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


@tool(effect="read")
async def numbers(context: Context) -> AsyncIterator[Chunk[int]]:
    """Numbers, bit by bit."""
    touched.append("numbers")
    yield Chunk([context.batch], None)


STREAMING = Catalogue([numbers, twice])
STREAM = """\
chain: streams
steps:
  source: {use: my.numbers, retry: {attempts: 2, delay: 1h, max_delay: 1h}}
  each: {use: my.twice, for_each: "${steps.source}", with: {n: "${item}"}}
output: "${steps.each}"
"""


@pytest.mark.parametrize(
    ("answer", "verdict", "line"),
    [
        ("{output: [1, 2, 3]}", "passed", ""),
        ("[{fail: {kind: transient}}, {output: [1, 2, 3]}]", "passed", ""),
        ("{output: []}", "failed", "output: expected 3 items, got 0: []"),
        ("{output: [1, a, 3]}", "wrong", "source: /1: this item: "),
        ("{output: 3}", "wrong", "source: the answer of a stream is the list of its items"),
        ("[{output: [1, 2, 3]}, {output: [4]}]", "wrong", "answers.source has 2, and 1 were"),
    ],
)
def test_a_stream_is_answered_by_its_items(answer: str, verdict: str, line: str) -> None:
    text = f"{STREAM}tests: [{{name: a, answers: {{source: {answer}}}, expect: {{output: [2, 4, 6]}}}}]"
    found = load(text)
    plan = compile_chain(found, STREAMING.find)
    outcome = run_case(case_of(found.tests[0], Path()), plan, STREAMING)
    assert (outcome.verdict, "".join(outcome.lines[:1])[: len(line)]) == (verdict, line), outcome
    known = findings_of_tests(found, STREAMING)
    assert bool(known) is line.startswith("source: ")


def test_a_stream_without_an_answer_is_not_opened() -> None:
    found = load(STREAM)
    plan = compile_chain(found, STREAMING.find)
    outcome = run_case(case_of({"name": "a"}, Path()), plan, STREAMING)
    assert outcome.verdict == "wrong"
    assert outcome.lines[0].startswith(
        "step source calls my.numbers (read), and the test gives no"
    )


def test_coverage_names_what_no_test_reached() -> None:
    plan = compile_chain(load(CHAIN), CATALOGUE.find)
    coverage = Coverage(plan)
    assert coverage.never_ran == ("late", "more", "paid")
    for n, never_ran, never_skipped in ((1, ("paid",), ()), (2, (), ())):
        more = ", paid: {output: {paid: 4}}" if n == 2 else ""
        outcome = ran(f"\n  - {{name: a, answers: {{late: {{output: {{id: {n}}}}}{more}}}}}\n")
        assert outcome.result is not None
        coverage.add(outcome.result)
        assert (coverage.never_ran, coverage.never_skipped) == (never_ran, never_skipped)


def test_a_condition_that_never_skips_is_named() -> None:
    coverage = Coverage(compile_chain(load(CHAIN), CATALOGUE.find))
    outcome = ran(
        "\n  - {name: a, answers: {late: {output: {id: 2}}, paid: {output: {paid: 4}}}}\n"
    )
    assert outcome.result is not None
    coverage.add(outcome.result)
    assert (coverage.never_ran, coverage.never_skipped) == ((), ("paid",))
