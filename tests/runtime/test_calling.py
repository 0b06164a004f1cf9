"""One call: arguments in, checked I-JSON out, faults named, time and bytes measured."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from drawloom.doors import Doors
from drawloom.doors.meter import count_in, count_out
from drawloom.errors import ConnectionUnusable, FailureKind, ToolError
from drawloom.runtime import Catalogue, Clients, Hands, Measured, StoredConnection
from drawloom.runtime.calling import Waiting, failure_of, metered
from drawloom.sdk import Connection, Connector, Context, Fault, Json, Tool, tool


class Settings(Connection):
    @asynccontextmanager
    async def open(self, doors: Doors) -> AsyncIterator[Any]:
        yield "the client"


@pytest.fixture
async def hands() -> AsyncIterator[Hands]:
    catalogue = Catalogue(extra=[Connector("lab", Settings)])
    made = Hands(Clients(catalogue, {"one": StoredConnection("one", "lab")}, Doors()))
    yield made
    await made.aclose()


async def call(
    hands: Hands,
    made: Tool,
    slot: str | None = None,
    measured: Measured | None = None,
    **args: Any,
) -> Any:
    context = Context("run", "step", "step#1", "run/step", 1)
    measured, prepared = measured or Measured(), hands.prepared(made)
    output = await hands.call(prepared, slot, args, context, measured)
    if type(output) is Waiting:
        output = prepared.check(await metered(output, measured), output.args)
    return output


async def test_what_goes_in_is_converted_and_what_comes_out_is_encoded(hands: Hands) -> None:
    @tool
    async def bill(day: date, amount: Decimal) -> dict[str, Any]:
        """Bill."""
        assert (type(day), type(amount)) == (date, Decimal)
        return {"day": day, "amount": amount, "id": 2**60, "raw": b"\x00\xff"}

    assert await call(hands, bill, day="2024-02-29", amount="1.10") == {
        "day": "2024-02-29", "amount": "1.10", "id": str(2**60), "raw": "AP8=",
    }  # fmt: skip


async def test_a_tool_may_know_of_its_call(hands: Hands) -> None:
    @tool
    async def who(context: Context) -> str:
        """Who."""
        return f"{context.key} {context.attempt}"

    assert await call(hands, who) == "run/step 1"


async def test_a_tool_gets_its_client_first(hands: Hands) -> None:
    connector = Connector("lab", Settings)

    @connector.tool(effect="read")
    async def ask(client: Any, v: int) -> list[Any]:
        """Ask."""
        return [client, v]

    assert await call(hands, ask, "one", v=3) == ["the client", 3]
    with pytest.raises(ConnectionUnusable):
        await call(hands, ask, "two", v=3)


async def test_an_output_of_the_wrong_shape_is_a_defect_with_its_place(hands: Hands) -> None:
    @tool
    async def wrong() -> dict[str, int]:
        """Lie."""
        return {"fine": 1, "odd": "one"}  # type: ignore[dict-item]

    with pytest.raises(ToolError) as error:
        await call(hands, wrong)
    assert error.value.failure.kind is FailureKind.DEFECT
    assert error.value.failure.details == {"pointer": "/odd"}


async def test_a_plain_function_runs_in_a_thread_and_an_inline_one_here(hands: Hands) -> None:
    @tool
    def slow() -> str:
        """In a thread."""
        return threading.current_thread().name

    @tool(inline=True)
    def quick() -> str:
        """Here."""
        return threading.current_thread().name

    assert (await call(hands, slow)).startswith("drawloom-tool")
    assert await call(hands, quick) == threading.current_thread().name


def burn(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


async def test_the_cpu_time_of_calls_that_take_turns_is_kept_apart(hands: Hands) -> None:
    @tool
    async def work(turns: int) -> int:
        """Use the processor in turns."""
        for _ in range(turns):
            burn(0.004)
            await asyncio.sleep(0)
        return turns

    busy, idle = Measured(), Measured()
    await asyncio.gather(
        call(hands, work, measured=busy, turns=10), call(hands, work, measured=idle, turns=1)
    )
    assert 0.04 <= busy.cpu / 1e9
    assert idle.cpu < busy.cpu / 4


async def test_the_cpu_time_of_a_thread_counts(hands: Hands) -> None:
    @tool
    def work() -> int:
        """Use the processor."""
        burn(0.02)
        return 1

    measured = Measured()
    await call(hands, work, measured=measured)
    assert measured.cpu / 1e9 >= 0.02


@pytest.mark.parametrize("threaded", [False, True])
async def test_bytes_are_counted_where_they_pass_a_door_for_each_call(
    hands: Hands, threaded: bool
) -> None:
    connector = Connector("lab", Settings)

    def moved(client: Any, n: int) -> int:
        """Move bytes."""
        count_in(n)
        count_out(2 * n)
        return n

    async def moved_later(client: Any, n: int) -> int:
        """Move bytes."""
        await asyncio.sleep(0)
        return moved(client, n)

    made = connector.tool(effect="read", name="moved")(moved if threaded else moved_later)
    measures = [Measured() for _ in range(3)]
    await asyncio.gather(
        *[call(hands, made, "one", m, n=n) for n, m in enumerate(measures, start=1)]
    )
    meters = [m.meter for m in measures]
    assert [(m.bytes_in, m.bytes_out) for m in meters if m] == [(1, 2), (2, 4), (3, 6)]


class VendorError(Exception):
    """What a vendor's library raises."""


class VendorBusy(VendorError):
    """A special case of it."""


@dataclass
class Faulty:
    raised: BaseException
    kind: FailureKind
    harmless: bool = False


@pytest.mark.parametrize(
    "case",
    [
        Faulty(VendorError("x"), FailureKind.DENIED),
        Faulty(VendorBusy("x"), FailureKind.THROTTLED, harmless=True),
        Faulty(ConnectionRefusedError("x"), FailureKind.TRANSIENT, harmless=True),
        Faulty(ConnectionResetError("x"), FailureKind.TRANSIENT),
        Faulty(TimeoutError("x"), FailureKind.TIMEOUT),
        Faulty(ConnectionUnusable("x"), FailureKind.DENIED, harmless=True),
        Faulty(ValueError("x"), FailureKind.DEFECT),
    ],
    ids=lambda case: type(case.raised).__name__,
)
def test_faults_are_named_by_the_nearest_class_of_the_table(case: Faulty) -> None:
    faults = {
        f"{__name__}.VendorError": FailureKind.DENIED,
        f"{__name__}.VendorBusy": Fault(FailureKind.THROTTLED, harmless=True),
    }

    @tool(faults=faults)
    async def some() -> Json:
        """Some."""
        return None

    failure = failure_of(some, case.raised)
    assert (failure.kind, failure.harmless) == (case.kind, case.harmless)
