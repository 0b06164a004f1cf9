from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drawloom.dataflow.durations import DURATION_PATTERN, seconds


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("30s", 30.0), ("5m", 300.0), ("1h30m", 5400.0), ("250ms", 0.25), ("1d", 86400.0),
        ("1.5h", 5400.0), ("0s", 0.0), (7, 7.0), (0.5, 0.5), ("1m500ms", 60.5),
    ],
)  # fmt: skip
def test_what_is_written_is_meant(written: object, meant: float) -> None:
    assert seconds(written) == pytest.approx(meant)


@pytest.mark.parametrize(
    "written", ["", "5", "5 m", "m", "-5m", "5m1h", "1h1h", "5M", "5m ", True, None, -1,
                float("nan"), float("inf"), [5], "9" * 400 + "d"],
)  # fmt: skip
def test_anything_else_is_refused_with_advice(written: object) -> None:
    with pytest.raises(ValueError, match=r"duration"):
        seconds(written)


@settings(deadline=None)
@given(st.text("0123456789.dhms", max_size=8))
def test_the_schema_and_the_reader_agree(written: str) -> None:
    try:
        seconds(written)
        read = True
    except ValueError:
        read = False
    assert read == (re.search(DURATION_PATTERN, written) is not None)
