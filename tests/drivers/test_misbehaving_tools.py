"""Tools that raise, hang, lie and kill: the run says so, and all others go on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.drivers.conftest import Compile, MakeEngine
from tests.drivers.tools import Lab

from drawloom.errors import FailureKind
from drawloom.sdk import Json, Tool, tool

ONE = "{chain: c, steps: {a: {use: my.bad, timeout: 0.1, retry: {attempts: 1}}}}"


def bad(function: Any, effect: Any = "read", **more: Any) -> Tool:
    function.__doc__ = "Misbehave."
    return tool(effect=effect, name="my.bad", **more)(function)


async def raises() -> int:
    raise ZeroDivisionError("division by zero")


async def exits() -> int:
    raise SystemExit(3)


class OddError(BaseException):
    """No `Exception`, as a signal or a test framework may raise it."""


async def raises_odd() -> int:
    raise OddError("odd")


async def raises_odd_later() -> int:
    await asyncio.sleep(0)
    raise OddError("odd")


async def cancels() -> int:
    raise asyncio.CancelledError


async def cancels_later() -> int:
    await asyncio.sleep(0)
    raise asyncio.CancelledError


async def wrong_shape() -> int:
    return "five"  # type: ignore[return-value]


async def not_a_number() -> Json:
    return {"x": [1.0, float("nan")]}


async def a_set() -> Json:
    return {"x": {1, 2}}


async def itself() -> Json:
    found: list[Any] = []
    found.append(found)
    return found


async def lone_surrogate() -> Json:
    return "\ud800"


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (raises, "ZeroDivisionError: division by zero"),
        (exits, "SystemExit: 3"),
        (raises_odd, "OddError: odd"),
        (raises_odd_later, "OddError: odd"),
        (cancels, "cancelled its own call"),
        (cancels_later, "cancelled its own call"),
        (wrong_shape, "my.bad gave what its output schema does not allow"),
        (not_a_number, "/x/1"),
        (a_set, "/x"),
        (itself, "my.bad gave what its output schema does not allow"),
        (lone_surrogate, "my.bad gave what its output schema does not allow"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_a_tool_that_breaks_is_a_defect_and_others_go_on(
    make_engine: MakeEngine, compile_for: Compile, function: Any, message: str
) -> None:
    async with make_engine(bad(function)) as engine:
        result = await asyncio.wait_for(engine.run(compile_for(engine, ONE)), 5)
        assert result.failure is not None
        assert result.failure.kind is FailureKind.DEFECT
        assert message in result.failure.message
        good = await engine.run(compile_for(engine, "{chain: d, steps: {a: {use: my.echo}}}"))
        assert good.status == "succeeded"


def inline_raises() -> int:
    raise SystemExit


def inline_cancels() -> int:
    raise asyncio.CancelledError


@pytest.mark.parametrize("function", [inline_raises, inline_cancels])
@pytest.mark.parametrize("inline", [True, False])
async def test_a_plain_function_that_breaks_is_a_defect_too(
    make_engine: MakeEngine, compile_for: Compile, function: Any, inline: bool
) -> None:
    async with make_engine(bad(function, inline=inline)) as engine:
        result = await asyncio.wait_for(engine.run(compile_for(engine, ONE)), 5)
        assert result.failure is not None
        assert result.failure.kind is FailureKind.DEFECT


async def test_an_integer_of_five_thousand_digits_is_text(
    make_engine: MakeEngine, compile_for: Compile
) -> None:
    async def huge() -> Json:
        return 10**4_999

    async with make_engine(bad(huge)) as engine:
        plan = compile_for(engine, "{chain: c, steps: {a: {use: my.bad}}, output: '${steps.a}'}")
        result = await engine.run(plan)
        assert result.status == "failed" or result.output == "1" + "0" * 4_999


async def test_a_tool_that_hangs_is_left_behind(
    make_engine: MakeEngine, compile_for: Compile
) -> None:
    async def hang() -> int:
        await asyncio.get_running_loop().create_future()
        return 1

    async with make_engine(bad(hang)) as engine:
        result = await engine.run(compile_for(engine, ONE))
        assert result.failure is not None
        assert result.failure.kind is FailureKind.TIMEOUT


async def test_a_tool_that_ignores_its_cancellation_is_left_behind(
    make_engine: MakeEngine, compile_for: Compile
) -> None:
    released = asyncio.Event()
    refused = []

    async def stubborn() -> int:
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                refused.append(True)
        return 1

    async with make_engine(bad(stubborn)) as engine:
        result = await engine.run(compile_for(engine, ONE))
        assert result.failure is not None
        assert result.failure.kind is FailureKind.TIMEOUT
        await asyncio.sleep(0)
        assert refused
        good = await engine.run(compile_for(engine, "{chain: d, steps: {a: {use: my.echo}}}"))
        assert good.status == "succeeded"
        released.set()


CHANGES = """
chain: c
steps:
  a: {use: my.echo, with: {v: {list: [1, 2]}}}
  b: {use: my.bad, with: {v: "${steps.a}"}}
  c: {use: my.echo, with: {v: "${steps.a}"}, after: [b]}
output: "${steps.c}"
"""


@pytest.mark.parametrize("durability", ["memory", "full"])
async def test_a_tool_that_changes_its_input_changes_nothing_for_others(
    make_engine: MakeEngine, compile_for: Compile, durability: Any
) -> None:
    async def change(v: dict[str, Any]) -> int:
        v["list"].append("changed")
        return 1

    async with make_engine(bad(change), durability=durability) as engine:
        result = await engine.run(compile_for(engine, CHANGES))
        if result.status == "succeeded":
            assert result.output == {"list": [1, 2]}
        else:
            assert result.failure is not None
            assert result.failure.kind is FailureKind.DEFECT


@pytest.mark.parametrize("outside", [False, True])
async def test_a_large_value_through_many_steps_is_written_once(
    make_engine: MakeEngine, compile_for: Compile, lab: Lab, outside: bool
) -> None:
    given = {"rows": ["x" * 100] * 10_000}
    steps = ", ".join(
        f"s{i}: {{use: my.echo, with: {{v: '${{{'input.v' if i == 0 else f'steps.s{i - 1}'}}}'}}}}"
        for i in range(5)
    )
    async with make_engine(blob_threshold=100_000 if outside else 10_000_000) as engine:
        plan = compile_for(
            engine,
            f"{{chain: c, input: {{v: {{}}}}, steps: {{{steps}}}, output: '${{steps.s4}}'}}",
        )
        result = await engine.run(plan, {"v": given})
        assert result.output == given
        await engine.flush()
        assert engine._db is not None
        what = "size) from blobs" if outside else "length(body)) from payloads"
        [(count, size)] = engine._db.execute(f"select count(*), sum({what}")
        [(rest,)] = engine._db.execute("select sum(length(body)) from events")
    assert count == 1
    assert size < 1.2e6
    assert rest < 10_000
