from __future__ import annotations

import asyncio
from typing import Any

import pytest

from drawloom.connectors.core import connector
from drawloom.errors import FailureKind
from drawloom.sdk import Context, name_fault
from drawloom.sdk.contract import call_checked

KINDS = ["invalid", "denied", "missing", "conflict", "throttled", "transient", "timeout"]


@pytest.mark.parametrize("kind", KINDS)
async def test_fail_fails_as_it_is_told(kind: str) -> None:
    with pytest.raises(Exception) as raised:
        await call_checked(
            connector.tools["core.fail"],
            message="no",
            kind=kind,
            retry_after=2.5,
            details={"a": 1},
        )
    found = name_fault(connector.faults, raised.value)
    assert (found.kind, found.message) == (FailureKind(kind), "no")
    assert (found.retry_after, found.details) == (2.5, {"a": 1})


@pytest.mark.parametrize("kind", ["lost", "defect"])
def test_fail_cannot_pretend_what_only_the_engine_can_know(kind: str) -> None:
    assert kind not in connector.tools["core.fail"].input_schema["properties"]["kind"]["enum"]


async def test_sleep_waits_and_can_be_cancelled() -> None:
    assert await call_checked(connector.tools["core.sleep"], seconds=0.0) == {"seconds": 0.0}
    sleeping = asyncio.ensure_future(connector.tools["core.sleep"](seconds=3_600))
    await asyncio.sleep(0)
    assert not sleeping.done()
    sleeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sleeping


def test_sleep_is_bounded_and_its_deadline_is_later() -> None:
    tool = connector.tools["core.sleep"]
    bounds = tool.input_schema["properties"]["seconds"]
    assert (bounds["minimum"], bounds["maximum"]) == (0, 3_600)
    assert tool.timeout is not None
    assert tool.timeout > 3_600


async def test_log_says_the_line() -> None:
    lines: list[tuple[str, dict[str, Any]]] = []
    context = Context(_say=lambda message, data: lines.append((message, data)))
    tool = connector.tools["core.log"]
    made = await call_checked(tool, context=context, message="hi", data={"n": 1}, level="warning")
    assert made == {"message": "hi", "level": "warning"}
    await call_checked(tool, context=context, message="plain")
    assert lines == [
        ("hi", {"level": "warning", "data": {"n": 1}}),
        ("plain", {"level": "info"}),
    ]
