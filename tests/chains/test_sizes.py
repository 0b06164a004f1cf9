"""Sizes as people write them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawloom.chains.sizes import LARGEST_SIZE, SIZE_PATTERN, bytes_of


@pytest.mark.parametrize(
    ("written", "size"),
    [("64kB", 64_000), ("256MB", 256_000_000), ("1GiB", 1 << 30), ("7B", 7), (512, 512)],
)
def test_a_size_has_one_meaning(written: object, size: int) -> None:
    assert bytes_of(written) == size


@pytest.mark.parametrize(
    "written", ["", "1", "1 MB", "1mb", "1KB", "1.5GB", "-1MB", "٣MB", "1MB\n", True, 1.0, None]
)
def test_anything_else_is_refused_with_what_to_write(written: object) -> None:
    with pytest.raises(ValueError, match="write it like 64kB"):
        bytes_of(written)


@pytest.mark.parametrize("written", [0, "0MB", -1, LARGEST_SIZE + 1, "9999999TB"])
def test_no_size_is_empty_or_larger_than_json_can_say(written: object) -> None:
    with pytest.raises(ValueError, match="from 1 to"):
        bytes_of(written)


@given(st.text(alphabet="0159kKMGTiB .-\n", max_size=8))
def test_the_schema_and_the_reader_agree(text: str) -> None:
    fits = re.search(SIZE_PATTERN.replace("$", r"\Z"), text) is not None
    try:
        bytes_of(text)
    except ValueError as exc:
        assert not fits or "from 1 to" in str(exc)
    else:
        assert fits
