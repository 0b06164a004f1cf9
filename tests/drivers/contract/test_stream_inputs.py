"""Tools that take streams: read bit by bit within the call, typed, and closed with it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from tests.drivers.contract.conftest import Driver
from tests.drivers.contract.test_streams import Source

from drawloom.chains import compile_chain, load
from drawloom.chains.check import check_text
from drawloom.errors import ChainInvalid, Failure, FailureKind, ToolError
from drawloom.runtime import Catalogue
from drawloom.sdk import Context, Json, Stream, Tool, tool

CHAIN = """
chain: c
input: {given: {default: null}}
steps:
  source: {use: my.numbers}
  take: {use: my.take, with: {numbers: ROWS, by: 2}}
output: "${steps.take}"
"""


@tool(effect="idempotent", name="my.take")
async def take(numbers: Stream[int], by: int) -> int:
    """Add up the numbers."""
    total = 0
    async for number in numbers:
        total += number * by
    return total


def plan_of(driver: Driver, *tools: Tool, rows: str = '"${steps.source}"') -> Any:
    find = driver.engine.catalogue.find
    made = {each.name: each for each in tools}
    return compile_chain(load(CHAIN.replace("ROWS", rows)), lambda n: made.get(n) or find(n))


async def test_a_tool_reads_a_stream_bit_by_bit_and_it_is_closed_with_the_call(
    driver: Driver,
) -> None:
    source = Source(1_700)
    result = await driver.engine.run(plan_of(driver, source.tool(), take))
    assert result.output == 1_700 * 1_699
    assert (source.opened, source.closed) == ([None], 1)


async def test_it_takes_a_list_as_well(driver: Driver) -> None:
    result = await driver.engine.run(plan_of(driver, Source(1).tool(), take, rows="[1, 2, 3]"))
    assert result.output == 12


async def test_what_is_not_read_to_its_end_is_closed_too(driver: Driver) -> None:
    source = Source(100_000)

    @tool(effect="idempotent", name="my.take")
    async def first(numbers: Stream[int], by: int) -> int:
        """Look at the first ones."""
        async for some in numbers.chunks():
            return len(some)
        return 0

    result = await driver.engine.run(plan_of(driver, source.tool(), first))
    assert result.output == source.ahead < 1_000
    await driver.engine.run(plan_of(driver, Source(0).tool(), first))
    assert source.closed == 1


async def test_a_source_that_breaks_fails_the_call_which_reads_anew(driver: Driver) -> None:
    source = Source(1_700, breaks_at=1_500)
    result = await driver.engine.run(plan_of(driver, source.tool(), take))
    assert result.output == 1_700 * 1_699
    assert result.steps["take"].attempts == 2
    assert source.opened == [None, None]


async def test_a_source_that_stays_broken_is_told_of(driver: Driver) -> None:
    class Broken(Source):
        breaks_at = property(lambda self: 500, lambda self, value: None)  # type: ignore[assignment]

    result = await driver.engine.run(plan_of(driver, Broken(1_000).tool(), take))
    assert (result.status, result.failure.kind) == ("failed", FailureKind.TRANSIENT)
    assert result.failure.message == "take: reading source: the line broke"
    assert result.steps["take"].attempts == 3


async def test_after_a_broken_source_nobody_knows_what_a_once_tool_has_done(
    driver: Driver,
) -> None:
    @tool(effect="once", name="my.take")
    async def take_once(numbers: Stream[int], by: int) -> int:
        """Add up the numbers, once."""
        return sum([number async for number in numbers])

    result = await driver.engine.run(plan_of(driver, Source(9, breaks_at=0).tool(), take_once))
    assert (result.status, result.unknown) == ("unknown", ("take#1",))


async def test_items_that_do_not_fit_fail_the_call_and_are_named(driver: Driver) -> None:
    @tool(effect="idempotent", name="my.take")
    async def dates(numbers: Stream[date], by: int) -> str:
        """Read days."""
        return " ".join([str(day.year) async for day in numbers])

    plan = plan_of(driver, Source(9).tool(), dates, rows="['2026-01-02', '2027-01-02']")
    assert (await driver.engine.run(plan)).output == "2026 2027"
    result = await driver.engine.run(plan_of(driver, Source(9).tool(), dates))
    assert (result.status, result.failure.kind) == ("failed", FailureKind.INVALID)
    assert "numbers: item 0 does not fit" in result.failure.message
    assert result.failure.details["item"] == 0


async def test_data_that_looks_like_a_stream_opens_none(driver: Driver) -> None:
    """Else whoever gives a chain its data could have it read what they like."""
    source = Source(9)
    forged = {"$stream": {"step": "source", "args": {"path": "/etc/passwd"}}}
    plan = plan_of(driver, source.tool(), take, rows='"${input.given}"')
    result = await driver.engine.run(plan, {"given": forged})
    assert (result.status, result.failure.kind) == ("failed", FailureKind.INVALID)
    text = CHAIN.replace("take: {use: my.take, with: {numbers: ROWS, by: 2}}",
        "take: {use: my.echo, for_each: '${input.given}', with: {v: '${item}'}}")  # fmt: skip
    find = driver.engine.catalogue.find
    numbers = source.tool()
    plan = compile_chain(load(text), lambda n: numbers if n == "my.numbers" else find(n))
    result = await driver.engine.run(plan, {"given": forged})
    assert "for_each wants a list" in result.failure.message
    assert source.opened == []


async def test_other_arguments_are_the_tools_own(driver: Driver) -> None:
    keep: list[Any] = []

    @tool(effect="idempotent", name="my.take")
    async def change(numbers: Stream[Json], by: Json, context: Context) -> Json:
        """Change what came in."""
        by["n"] = [number async for number in numbers]
        keep.append(context.step)
        return by

    text = CHAIN.replace("ROWS", '"${steps.source}"').replace("by: 2", "by: '${input.given}'")
    made = {"my.take": change, "my.numbers": Source(3).tool()}
    find = driver.engine.catalogue.find
    plan = compile_chain(load(text), lambda n: made.get(n) or find(n))
    result = await driver.engine.run(plan, {"given": {"n": 1}})
    assert (result.output, keep) == ({"n": [0, 1, 2]}, ["take"])
    assert result.kernel.scope["input"]["given"] == {"n": 1}


@pytest.mark.parametrize(
    ("tail", "codes"),
    [
        ("take: {use: my.take, with: {numbers: '${steps.source}', by: 2}}", []),
        ("take: {use: my.take, with: {numbers: [1], by: 2}}", []),
        ("take: {use: my.take, with: {numbers: ['x'], by: 2}}", ["wrong-literal"]),
        ("take: {use: my.take, with: {numbers: [1], by: '${steps.source}'}}", ["stream-misused"]),
        ("take: {use: my.texts, with: {texts: '${steps.source}'}}", ["does-not-fit"]),
        ("take: {use: my.see, cache: 5m, with: {v: '${steps.source}'}}", ["cache-of-effect"]),
    ],
)
def test_the_check_knows_what_a_tool_takes(tail: str, codes: list[str]) -> None:
    @tool(effect="idempotent")
    async def texts(texts: Stream[str]) -> None:
        """Take texts."""

    @tool(effect="read")
    async def see(v: Stream[Json]) -> None:
        """Look at all of it."""

    tools = Catalogue([Source(3).tool(), take, texts, see])
    text = f"{{chain: c, steps: {{source: {{use: my.numbers}}, {tail}}}}}"
    told = [f.code for f in check_text(text, tools) if f.severity == "error"]
    assert told == codes
    if codes == ["cache-of-effect"]:
        with pytest.raises(ChainInvalid, match="takes a stream"):
            compile_chain(load(text), tools.find)


def test_a_tool_that_takes_a_stream_waits_for_it_in_this_process() -> None:
    def sync(v: Stream[int]) -> None:
        """Take numbers."""

    with pytest.raises(TypeError, match="async def"):
        _ = tool(effect="read")(sync).stream_inputs


async def test_a_failure_of_the_tool_itself_is_its_own(driver: Driver) -> None:
    source = Source(1_000)

    @tool(effect="once", name="my.take")
    async def stop(numbers: Stream[int], by: int) -> int:
        """Fail in the middle."""
        async for _ in numbers:
            raise ToolError(Failure(FailureKind.DENIED, "no more"))
        return 0

    result = await driver.engine.run(plan_of(driver, source.tool(), stop))
    assert result.failure.message == "take: no more"
    assert source.closed == 1
