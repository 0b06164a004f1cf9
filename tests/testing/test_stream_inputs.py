"""Tests of chains in which a tool takes a stream: its items are those that the test gives."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from drawloom.chains import compile_chain, load
from drawloom.runtime import Catalogue
from drawloom.sdk import Chunk, Context, Stream, tool
from drawloom.testing import Outcome, case_of, run_case

touched: list[str] = []


@tool(effect="read")
async def numbers(context: Context) -> AsyncIterator[Chunk[int]]:
    """Numbers from outside."""
    touched.append("numbers")
    yield Chunk([1], 1)


@tool(effect="pure")
async def total(numbers: Stream[int]) -> int:
    """Add up."""
    return sum([number async for number in numbers])


@tool(effect="once")
async def send(numbers: Stream[int]) -> int:
    """Send them away."""
    touched.append("send")
    return 0


CHAIN = "{chain: c, steps: {source: {use: my.numbers}, a: {use: my.TOOL, with: {numbers: '${steps.source}'}}}, output: '${steps.a}'}"


def ran(tool_name: str, answers: dict[str, object]) -> Outcome:
    touched.clear()
    tools = Catalogue([numbers, total, send])
    plan = compile_chain(load(CHAIN.replace("TOOL", tool_name)), tools.find)
    case = case_of({"name": "t", "answers": answers, "expect": {"output": 6}}, Path())
    outcome = run_case(case, plan, tools)
    assert touched == []
    return outcome


@pytest.mark.parametrize(
    ("answers", "verdict", "line"),
    [
        ({"source": {"output": [1, 2, 3]}}, "passed", ""),
        ({"source": {"output": [1, 2]}}, "failed", "output: expected 6, got 3"),
        (
            {"source": {"fail": {"kind": "denied"}}},
            "failed",
            "status: expected succeeded, got failed: denied",
        ),
        ({"source": {"output": 3}}, "wrong", "source: the answer of a stream is the list"),
        ({}, "wrong", "step source calls my.numbers (read), and the test gives no answer"),
    ],
)
def test_a_tool_that_runs_for_real_gets_the_items_of_the_answer(
    answers: dict[str, object], verdict: str, line: str
) -> None:
    outcome = ran("total", answers)
    assert outcome.verdict == verdict, outcome
    assert "".join(outcome.lines[:1]).startswith(line), outcome


def test_of_a_tool_that_is_answered_for_the_stream_is_not_read() -> None:
    assert ran("send", {"a": {"output": 6}}).verdict == "passed"
