"""What the rate limit fields of an answer say."""

from __future__ import annotations

import pytest

from drawloom.doors.quotas import announced

DATE = ("date", "Thu, 01 Jan 2026 00:00:00 GMT")  # 1767225600


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([("ratelimit", '"default";r=50;t=30')], (50, 30.0)),
        ([("ratelimit", '"a";r=50;t=30, "b"; r=3; t=900')], (3, 900.0)),
        ([("ratelimit", '"default";r=50')], None),
        ([("ratelimit", "nonsense")], None),
        ([("ratelimit-remaining", "7"), ("ratelimit-reset", "12")], (7, 12.0)),
        ([("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1767225660"), DATE], (0, 60.0)),
        ([("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1767225000"), DATE], (0, 0.0)),
        ([("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1767225660")], None),
        ([("x-ratelimit-remaining", "-1"), ("x-ratelimit-reset", "5")], None),
        ([("x-ratelimit-remaining", "5")], None),
        ([], None),
    ],
)
def test_announced(headers: list[tuple[str, str]], expected: tuple[int, float] | None) -> None:
    assert announced(tuple(headers)) == expected
