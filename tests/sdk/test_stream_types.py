"""Which parameters take streams."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import Field

from drawloom.sdk import Stream, tool


@tool(effect="read")
async def plain(rows: Stream[int]) -> int:
    """Count."""
    return len([row async for row in rows])


@tool(effect="read")
async def told(rows: Annotated[Stream[int], Field(description="What to count.")]) -> int:
    """Count."""
    return len([row async for row in rows])


@pytest.mark.parametrize("counting", [plain, told])
async def test_a_stream_is_one_with_a_description_too(counting):
    assert counting.stream_inputs == {"rows": int}
    assert counting.plain_input
    assert await counting(rows=Stream.of([1, 2])) == 2


def test_its_description_is_in_the_schema():
    assert told.input_schema["properties"]["rows"]["description"] == "What to count."
