"""Large expressions in a process of their own: bounded, kept, replaced when it dies."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from drawloom.errors import FailureKind, ToolError
from drawloom.runtime import evaluator
from drawloom.runtime.evaluator import Evaluator

GREEDY = "$map([1..900000], function($x){[1..200]})"
ENDLESS = "($f := function($n){$f($n + 1)}; $f(1))"


@pytest.fixture
async def evaluate() -> AsyncIterator[Evaluator]:
    made = Evaluator(at_once=2)
    yield made
    await made.aclose()


async def value(made: Evaluator, source: Any, kind: Any = "template", **scope: Any) -> Any:
    return await made.evaluate(kind, source, scope, 0, 0)


async def test_each_kind_of_place_gets_its_kind_of_value(evaluate: Evaluator) -> None:
    assert await value(evaluate, "input.n > 1", "condition", input={"n": 2}) is True
    assert await value(evaluate, {"a": "${input.n + 1}"}, input={"n": 2}) == {"a": 3}
    assert await value(evaluate, "${input.n[$ > 5]}", "list", input={"n": [1, 9]}) == [9]
    assert await value(evaluate, "${input.n[$ > 50]}", "list", input={"n": [1, 9]}) == []


async def test_a_process_is_kept_for_the_next(evaluate: Evaluator) -> None:
    await value(evaluate, "${1 + 1}")
    [process] = evaluate._idle
    await value(evaluate, "${1 + 2}")
    assert evaluate._idle == [process]


async def test_no_more_processes_than_allowed(evaluate: Evaluator) -> None:
    answers = await asyncio.gather(*[value(evaluate, f"${{{n} + 0}}") for n in range(10)])
    assert answers == list(range(10))
    assert len(evaluate._idle) <= 2


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(ENDLESS, marks=pytest.mark.slow),
        pytest.param(GREEDY, marks=pytest.mark.slow),
        "$nowhere",
        "1 + 'a'",
    ],
)
async def test_an_expression_at_fault_is_refused_and_the_next_goes_on(
    evaluate: Evaluator, source: str
) -> None:
    with pytest.raises(ToolError) as refused:
        await value(evaluate, f"${{{source}}}")
    assert refused.value.failure.kind is FailureKind.INVALID
    assert await value(evaluate, "${2 + 2}") == 4


async def test_a_process_that_was_killed_is_replaced(evaluate: Evaluator) -> None:
    await value(evaluate, "${1 + 1}")
    [process] = evaluate._idle
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    assert await value(evaluate, "${1 + 2}") == 3
    assert evaluate._idle != [process]


async def test_a_process_that_takes_too_long_is_stopped(
    evaluate: Evaluator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await value(evaluate, "${1 + 1}")
    [process] = evaluate._idle
    monkeypatch.setattr(evaluator, "DEADLINE", 0.05)
    os.kill(process.pid, signal.SIGSTOP)
    with pytest.raises(ToolError, match=r"was stopped after 0\.05 s"):
        await value(evaluate, "${1 + 1}")
    assert process.returncode == -signal.SIGKILL
    assert evaluate._idle == []


def environment_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


async def test_it_knows_nothing_of_our_environment(
    evaluate: Evaluator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRAWLOOM_CANARY", "a secret")
    await value(evaluate, "${1 + 1}")
    [process] = evaluate._idle
    environment = environment_of(process.pid)
    assert b"DRAWLOOM_CANARY" not in environment
    assert b"PATH=" not in environment


async def test_processes_end_with_it(evaluate: Evaluator) -> None:
    await value(evaluate, "${1 + 1}")
    [process] = evaluate._idle
    await evaluate.aclose()
    assert process.returncode is not None
