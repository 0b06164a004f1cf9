"""What differs between two values, place by place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from drawloom.chains.findings import escape

MOST: Final = 20
_LONGEST = 200  # characters


def differences(expected: Any, actual: Any, at: str) -> list[str]:
    """`PLACE: expected …, got …` for each place that differs, the first twenty of them.

    Numbers are the same where they are equal (1 and 1.0); true is not 1.
    """
    found: list[str] = []
    for line in _differences(expected, actual, at):
        if len(found) == MOST:
            return [*found, f"{at}: and more"]
        found.append(line)
    return found


def _differences(expected: Any, actual: Any, at: str) -> Iterator[str]:
    if isinstance(expected, dict) and isinstance(actual, dict):
        for name in {**expected, **actual}:
            place = f"{at}/{escape(name)}"
            if name not in actual:
                yield f"{place}: expected {shown(expected[name])}, and it is not there"
            elif name not in expected:
                yield f"{place}: not expected, got {shown(actual[name])}"
            else:
                yield from _differences(expected[name], actual[name], place)
    elif isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            yield f"{at}: expected {len(expected)} items, got {len(actual)}: {shown(actual)}"
        for index, (one, other) in enumerate(zip(expected, actual, strict=False)):
            yield from _differences(one, other, f"{at}/{index}")
    elif not same(expected, actual):
        yield f"{at}: expected {shown(expected)}, got {shown(actual)}"


def same(expected: Any, actual: Any) -> bool:
    """Whether two values that are neither objects nor lists are the same to a test."""
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    return bool(expected == actual)


def shown(value: Any) -> str:
    """*value* as JSON, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}[…]"
