"""Streams in tests: the list of their items."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.testing.shop import touched, twice

from drawloom.chains import compile_chain, load
from drawloom.chains.check import findings_of_tests
from drawloom.runtime import Catalogue
from drawloom.sdk import Chunk, Context, tool
from drawloom.testing import case_of, run_case


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


BATCHES = """\
chain: batches
steps:
  source: {use: my.numbers}
  each: {use: core.transform, for_each: "${steps.source}", batch: 2, with: {value: "${item}"}}
output: "${steps.each}"
"""


@pytest.mark.parametrize(
    ("answer", "verdict", "line"),
    [
        ("{output: [1, 2, 3]}", "passed", ""),
        (
            "{output: [1, 2, 3], chunks: [1]}",
            "failed",
            "output/0/value: expected 2 items, got 1: [1]",
        ),
        ("{output: [1, 2, 3], chunks: [3]}", "wrong", "source: a chunk of 3 items, where at most"),
    ],
)
def test_an_answer_says_how_its_items_come(answer: str, verdict: str, line: str) -> None:
    test = f"{{name: a, answers: {{source: {answer}}}, expect: {{output: [{{value: [1, 2]}}, {{value: [3]}}]}}}}"
    found = load(f"{BATCHES}tests: [{test}]")
    plan = compile_chain(found, STREAMING.find)
    outcome = run_case(case_of(found.tests[0], Path()), plan, STREAMING)
    assert (outcome.verdict, "".join(outcome.lines[:1])[: len(line)]) == (verdict, line), outcome


def test_a_reading_in_the_middle_may_fail() -> None:
    """The answers before it stand, and the next attempt goes on where the stream stood."""
    answers = """
    answers:
      source: {output: [1, 2, 3]}
      "each<2#1": {fail: {kind: transient}}
    expect: {output: [2, 4, 6]}
"""
    found = load(f"{STREAM}tests:\n  - name: a{answers}")
    assert findings_of_tests(found, STREAMING) == ()
    plan = compile_chain(found, STREAMING.find)
    outcome = run_case(case_of(found.tests[0], Path()), plan, STREAMING)
    assert outcome.verdict == "passed", outcome.lines
    assert outcome.result is not None
    assert outcome.result.steps["each"].seconds > 1800


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ("{source: {output: [1, 2], chunks: [1]}}", "the chunks have 1 items, and the answer 2"),
        ("{each: {output: 1, chunks: [1]}}", "my.twice gives no stream"),
    ],
)
def test_chunks_are_checked(answers: str, says: str) -> None:
    found = findings_of_tests(load(f"{STREAM}tests: [{{name: a, answers: {answers}}}]"), STREAMING)
    assert [(f.code, f.message[: len(says)]) for f in found] == [("bad-answer", says)]
