"""Durations as people write them: `30s`, `5m`, `1h30m`, `250ms`, or a number of seconds."""

from __future__ import annotations

import math
import re

_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART = r"(?:(?P<{0}>[0-9]+(?:\.[0-9]+)?){0})?"
_DURATION = re.compile("".join(_PART.format(unit) for unit in _UNITS))
_HOW = "write it like 30s, 5m, 1h30m or 250ms, or as a number of seconds"

# What the schema of the document says of a written duration; the same language as above.
DURATION_PATTERN = "^(?=[0-9])" + "".join(
    rf"([0-9]+(\.[0-9]+)?{unit})?" for unit in _UNITS
) + "$"  # fmt: skip


def seconds(written: object) -> float:
    """The seconds that *written* means: a number, or text with the units d h m s ms, in order.

    Raises `ValueError` with what to write instead.
    """
    if isinstance(written, int | float) and not isinstance(written, bool):
        return _finite(float(written), written)
    found = _DURATION.fullmatch(written) if isinstance(written, str) else None
    if not written or found is None:
        raise ValueError(f"{_quoted(written)} is not a duration; {_HOW}")
    parts = {unit: text for unit, text in found.groupdict().items() if text}
    return _finite(sum(float(text) * _UNITS[unit] for unit, text in parts.items()), written)


def _finite(value: float, written: object) -> float:
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{_quoted(written)} is not a duration: it must be finite, 0 or more")
    return value


def _quoted(written: object) -> str:
    text = repr(written)
    return text if len(text) <= 60 else text[:60] + "[…]"
