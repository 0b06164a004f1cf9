from __future__ import annotations

from typing import Any

import pytest

from drawloom.connectors.core import connector
from drawloom.errors import Failure, FailureKind
from drawloom.sdk import name_fault
from drawloom.sdk.contract import call_checked


async def call(tool: str, **arguments: Any) -> Any:
    return await call_checked(connector.tools[f"core.{tool}"], **arguments)


async def failure(tool: str, **arguments: Any) -> Failure:
    with pytest.raises(Exception) as raised:
        await call(tool, **arguments)
    return name_fault(connector.faults, raised.value)


ROWS = [{"k": "a", "n": 2}, {"k": "b", "n": 3}, {"k": "a", "n": 5}]


async def test_aggregate() -> None:
    made = await call("aggregate", rows=ROWS, by=["k"], values={"n": "count", "s": {"sum": "n"}})
    assert made == {"rows": [{"k": "a", "n": 2, "s": 7}, {"k": "b", "n": 1, "s": 3}], "count": 2}
    assert await call("aggregate", rows=[], values={"n": "count"}) == {
        "rows": [{"n": 0}],
        "count": 1,
    }


async def test_aggregate_over_text_is_an_invalid_input_that_names_the_row() -> None:
    found = await failure(
        "aggregate", rows=[*ROWS, {"k": "a", "n": "9"}], values={"s": {"sum": "n"}}
    )
    assert found.kind is FailureKind.INVALID
    assert found.details == {"pointer": "/3/n"}


async def test_aggregate_can_pass_over_what_is_missing() -> None:
    rows = [*ROWS, {"k": "c"}]
    values = {"s": {"max": "n"}}
    assert (await failure("aggregate", rows=rows, values=values)).kind is FailureKind.INVALID
    made = await call("aggregate", rows=rows, values=values, missing="skip")
    assert made["rows"] == [{"s": 5}]


async def test_join() -> None:
    names = [{"key": "a", "name": "Anna", "n": 0}]
    made = await call("join", left=ROWS, right=names, on={"k": "key"}, how="left", suffix="_2")
    assert made["count"] == 3
    assert made["rows"][1] == {"k": "b", "n": 3, "key": None, "name": None, "n_2": None}
    found = await failure("join", left=ROWS, right=names, on={"k": "key"})
    assert found.kind is FailureKind.INVALID
    assert "suffix" in found.message


async def test_merge_concat_and_zip() -> None:
    more = [{"k": "b", "x": 1}]
    merged = await call("merge", lists=[ROWS[:2], more], on="k")
    assert merged == {"rows": [{"k": "a", "n": 2}, {"k": "b", "n": 3, "x": 1}], "count": 2}
    assert await call("concat", lists=[[1], ["2"]]) == {"items": [1, "2"], "count": 2}
    zipped = await call("zip", lists={"a": [1], "b": ["x"]})
    assert zipped == {"rows": [{"a": 1, "b": "x"}], "count": 1}
    assert (await failure("zip", lists={"a": [1], "b": []})).kind is FailureKind.INVALID
