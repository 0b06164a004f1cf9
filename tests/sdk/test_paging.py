"""Portions behind a key as chunks: each row once, from any cursor on."""

from __future__ import annotations

from typing import Any

import pytest

from drawloom.errors import FailureKind, ToolError
from drawloom.sdk import Context, Row
from drawloom.sdk.paging import check_keys, chunks_behind, key_names

ROWS: list[Row] = [{"a": n // 10, "b": n % 10} for n in range(2_500)]


class Asked:
    """What is behind a cursor among the rows, and how many were asked for."""

    def __init__(self) -> None:
        self.portions: list[int] = []

    async def __call__(self, after: Any, most: int) -> tuple[list[Row], bool]:
        self.portions.append(most)
        first = 0 if after is None else after[0] * 10 + after[1] + 1
        return ROWS[first : first + most], first + most < len(ROWS)


@pytest.mark.parametrize(
    ("batch", "portion", "portions"),
    [(1, 1_000, 3), (700, 1_400, 2), (1_000, 1_000, 3), (5_000, 5_000, 1)],
)
async def test_each_row_comes_once_and_no_chunk_stands_across_two_portions(
    batch: int, portion: int, portions: int
) -> None:
    asked = Asked()
    found: list[Row] = []
    async for chunk in chunks_behind(asked, ["a", "b"], Context(batch=batch)):
        found += chunk.items
        assert chunk.after == [found[-1]["a"], found[-1]["b"]]
        assert len(chunk.items) == batch or len(found) == len(ROWS)
    assert found == ROWS
    assert asked.portions == [portion] * portions


async def test_it_goes_on_behind_a_cursor() -> None:
    context = Context(after=[249, 7], batch=5)
    chunks = [chunk async for chunk in chunks_behind(Asked(), ["a", "b"], context)]
    assert [chunk.items for chunk in chunks] == [ROWS[-2:]]


def test_a_key_tells_rows_apart() -> None:
    check_keys(ROWS, ["a", "b"])
    check_keys([], ["a"])
    with pytest.raises(ToolError, match=r"the key \(a\) .* two have \(0\)") as raised:
        check_keys(ROWS, ["a"])
    assert raised.value.failure.kind is FailureKind.INVALID
    assert raised.value.failure.details == {"path": "/key"}


def test_a_key_names_a_column_once() -> None:
    assert key_names("a") == ["a"]
    assert key_names(["a", "b"]) == ["a", "b"]
    with pytest.raises(ToolError, match="names a column twice"):
        key_names(["a", "a"])
