"""`for_each` over streams: bounded, in order, and gone on with after a fault."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.drivers.contract.conftest import Driver

from drawloom.chains import compile_chain, load
from drawloom.drivers.embedded import Engine
from drawloom.errors import Failure, FailureKind, ToolError
from drawloom.kernel import CallFailed, Run, Started
from drawloom.kernel.messages import Pulled
from drawloom.sdk import Chunk, Context, Tool, tool


class Source:
    """A stream of numbers that notes what is asked of it, and can break once."""

    def __init__(self, count: int, breaks_at: int | None = None) -> None:
        self.count, self.breaks_at = count, breaks_at
        self.opened: list[Any] = []
        self.ahead = 0
        self.closed = 0

    def tool(self) -> Tool:
        @tool(effect="read", name="my.numbers")
        async def numbers(context: Context) -> AsyncIterator[Chunk[int]]:
            """Numbers from zero on."""
            at = context.after or 0
            self.opened.append(context.after)
            try:
                while at < self.count:
                    if at == self.breaks_at:
                        self.breaks_at = None
                        raise ToolError(Failure(FailureKind.TRANSIENT, "the line broke"))
                    items = list(range(at, min(at + context.batch, self.count)))
                    at += len(items)
                    self.ahead = at
                    yield Chunk(items, at)
            finally:
                self.closed += 1

        return numbers


CHAIN = """
chain: c
steps:
  source: {use: my.numbers, retry: {attempts: 3, delay: 0.01}}
  each:
    use: my.echo
    for_each: "${steps.source}"
    BATCH
    with: {v: "${item}"}
output: "${steps.each}"
"""


async def run(driver: Driver, source: Source, batch: str, **more: Any) -> Any:
    made = source.tool()
    find = driver.engine.catalogue.find
    plan = compile_chain(
        load(CHAIN.replace("BATCH", batch)), lambda n: made if n == "my.numbers" else find(n)
    )
    return await driver.engine.run(plan, **more)


async def test_a_stream_is_worked_through_in_batches(driver: Driver) -> None:
    source = Source(7)
    result = await run(driver, source, "batch: 3")
    assert result.output == [[0, 1, 2], [3, 4, 5], [6]]
    assert (source.opened, source.closed) == ([None], 1)
    assert (result.steps["each"].items_done, result.steps["each"].items_total) == (3, 3)


async def test_without_batch_each_item_comes_alone(driver: Driver) -> None:
    assert (await run(driver, Source(3), "concurrency: 2")).output == [0, 1, 2]


async def test_an_empty_stream_gives_an_empty_list(driver: Driver) -> None:
    assert (await run(driver, Source(0), "batch: 3")).output == []


async def test_a_stream_that_breaks_is_opened_again_where_it_stood(driver: Driver) -> None:
    source = Source(7, breaks_at=4)
    assert (await run(driver, source, "batch: 2")).output == [[0, 1], [2, 3], [4, 5], [6]]
    assert source.opened == [None, 4]


async def test_a_stream_that_stays_broken_fails_its_reader(driver: Driver) -> None:
    class Broken(Source):
        breaks_at = property(lambda self: 2, lambda self, value: None)  # type: ignore[assignment]

    result = await run(driver, Broken(7), "batch: 2")
    assert (result.status, result.failure.kind) == ("failed", "transient")
    assert result.failure.message == "each: reading source: the line broke"


async def test_nothing_is_read_far_ahead(driver: Driver) -> None:
    source = Source(1_000)
    seen: list[int] = []

    @tool(effect="idempotent", name="my.look")
    async def look(v: list[int]) -> None:
        """Note how far the stream has been read when this batch is worked on."""
        seen.append(source.ahead - v[0])
        await driver.lab.sleep(0.0001)

    made = {"my.numbers": source.tool(), "my.look": look}
    find = driver.engine.catalogue.find
    text = CHAIN.replace("BATCH", "{batch: 10, concurrency: 2}").replace("my.echo", "my.look")
    text = text.replace("{batch: 10, concurrency: 2}", "batch: 10\n    concurrency: 2")
    plan = compile_chain(load(text), lambda n: made.get(n) or find(n))
    assert (await driver.engine.run(plan)).status == "succeeded"
    assert len(seen) == 100
    assert max(seen) <= 20


async def test_a_cancelled_run_closes_its_stream(driver: Driver) -> None:
    source = Source(100)
    made = source.tool()
    find = driver.engine.catalogue.find
    text = (
        CHAIN.replace("BATCH", "concurrency: 1")
        .replace("use: my.echo", "use: my.pause")
        .replace('{v: "${item}"}', "{seconds: 600}")
    )
    plan = compile_chain(load(text), lambda n: made if n == "my.numbers" else find(n))
    run_id = await driver.engine.start(plan)
    while not driver.lab.busy:
        await driver.lab.sleep(0.001)
    await driver.engine.cancel(run_id)
    assert (await driver.engine.wait(run_id)).status == "cancelled"
    if isinstance(driver.engine, Engine):
        for _ in range(1_000):
            if source.closed:
                break
            await driver.lab.sleep(0)
        assert source.closed == 1


@pytest.mark.parametrize("items", [[], [1, 2, 3]])
async def test_a_chunk_of_the_wrong_size_is_a_defect(driver: Driver, items: list[int]) -> None:
    @tool(effect="read", name="my.numbers")
    async def numbers(context: Context) -> AsyncIterator[Chunk[int]]:
        """Numbers."""
        yield Chunk(items, 1)

    class Wrong(Source):
        def tool(self) -> Tool:
            return numbers

    result = await run(driver, Wrong(1), "batch: 2")
    assert result.failure.kind == "defect"


async def test_items_that_do_not_fit_are_refused(driver: Driver) -> None:
    class Texts(Source):
        def tool(self) -> Tool:
            @tool(effect="read", name="my.numbers")
            async def numbers(context: Context) -> AsyncIterator[Chunk[int]]:
                """No numbers."""
                yield Chunk(["a"], 1)  # type: ignore[list-item]

            return numbers

    result = await run(driver, Texts(1), "batch: 2")
    assert result.failure.kind == "defect"


def test_a_stream_only_looks() -> None:
    async def numbers() -> AsyncIterator[Chunk[int]]:
        """Numbers."""
        yield Chunk([1], 1)

    with pytest.raises(TypeError, match="only looks"):
        tool(effect="once")(numbers)


def test_a_stream_that_changed_since_is_a_conflict() -> None:
    """Read again after a crash, it must give just what it gave before."""
    plan = compile_chain(
        load(CHAIN.replace("BATCH", "batch: 2")),
        lambda n: Source(9).tool() if n == "my.numbers" else _echo,
    )
    run = Run(plan, "r")
    run.receive(Started({}, 1))
    run.receive(Pulled("each<0#1", 2, 2, 2, False, None))  # as a replay has it: no items
    run.receive(CallFailed("each[0]#1", Failure(FailureKind.LOST, "gone"), 3))
    run.receive(Pulled("each[0]<#1", 4, 1, 1, False, [0]))
    for call in list(run.calls):
        run.receive(CallFailed(call, Failure(FailureKind.DENIED, "enough"), 5))
    assert run.finished is not None and run.finished.failure is not None
    assert run.finished.failure.kind is FailureKind.CONFLICT
    assert "the stream has changed" in run.finished.failure.message


@tool(effect="read", name="my.echo")
async def _echo(v: Any = None) -> Any:
    """Give it back."""
    return v
