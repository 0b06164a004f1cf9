"""Numbers in PostgreSQL's binary formats (its source: int.c, float.c, numeric.c)."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from drawloom.sdk import Json
from drawloom.sdk.encoding import encode_value

_WHOLE = re.compile(r"[-+]?[0-9]{1,30}")
_DECIMAL = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,6})?")
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_MOST_DIGITS = 147_000  # what a numeric can hold at all


def _whole(value: Json) -> int:
    """A whole number: as such, as a double that is one, or as a decimal string."""
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError("expected a whole number, or its digits as a text")


def _integer(bits: int) -> Callable[[Json], int]:
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1

    def take(value: Json) -> int:
        number = value if type(value) is int else _whole(value)
        if low <= number <= high:
            return number
        raise ValueError(f"it does not fit into {bits} bits")

    return take


def _float(code: str) -> Callable[[Json], float]:
    layout = struct.Struct(code)

    def take(value: Json) -> float:
        if isinstance(value, str):
            if value not in _SPECIAL:
                raise ValueError('expected a number, "NaN", "Infinity" or "-Infinity"')
            return _SPECIAL[value]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError("expected a number")  # noqa: TRY004  # as every other refusal
        try:
            layout.pack(value)
        except OverflowError:
            raise ValueError(f"it does not fit into {layout.size * 8} bits") from None
        return float(value)

    return take


# What a chain has as the numbers that the driver's own codecs take, which are those in C.
TAKES: dict[str, Callable[[Json], int | float]] = {
    "int2": _integer(16),
    "int4": _integer(32),
    "int8": _integer(64),
    "float4": _float(">f"),
    "float8": _float(">d"),
}


def number_out(value: float) -> Json:
    """A number of the driver as chains have it: beyond 2^53-1, and none at all, it is a text."""
    if type(value) is int:
        return encode_value(value)
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


_HEAD = struct.Struct(">hhHh")  # groups, weight of the first one, sign, digits after the point
_NEGATIVE = 0x4000
_WORDS = {0xC000: "NaN", 0xD000: "Infinity", 0xF000: "-Infinity"}


def encode_numeric(value: Json) -> bytes:
    """A number or a decimal string as groups of four decimal digits, with its own scale."""
    for sign, word in _WORDS.items():
        if value == word:
            return _HEAD.pack(0, 0, sign, 0)
    number = _decimal(value)
    negative, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int), "only a special number has another exponent"
    text = "".join(map(str, digits)) + "0" * max(exponent, 0)
    scale = max(-exponent, 0)
    groups, weight = _groups(text, scale)
    head = _HEAD.pack(len(groups), weight, _NEGATIVE if negative and groups else 0, scale)
    return head + struct.pack(f">{len(groups)}h", *groups)


def _decimal(value: Json) -> Decimal:
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        number = Decimal(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        number = Decimal(repr(value))  # the shortest text of a double, not its 50 digits
    else:
        raise ValueError("expected a number, or a decimal number as a text")
    if abs(number.adjusted()) > _MOST_DIGITS or -int(number.as_tuple().exponent) > 16_383:
        raise ValueError("the number has more digits than a numeric holds")
    return number


def _groups(text: str, scale: int) -> tuple[list[int], int]:
    """The digits by fours from the decimal point outwards, and the power of the first group."""
    text += "0" * (-scale % 4)
    text = "0" * (-len(text) % 4) + text
    groups = [int(text[at : at + 4]) for at in range(0, len(text), 4)]
    weight = len(groups) - -(-scale // 4) - 1
    while groups and groups[0] == 0:
        groups.pop(0)
        weight -= 1
    while groups and groups[-1] == 0:
        groups.pop()
    return groups, weight if groups else 0


def decode_numeric(data: bytes) -> str:
    """The decimal string of a numeric, its trailing zeros kept, as PostgreSQL prints it."""
    count, weight, sign, scale = _HEAD.unpack_from(data)
    if sign in _WORDS:
        return _WORDS[sign]
    groups = struct.unpack_from(f">{count}h", data, _HEAD.size)
    whole = [_group(groups, at) for at in range(weight + 1)]
    part = [_group(groups, at) for at in range(weight + 1, weight + 1 - (-scale // 4))]
    text = "".join(whole).lstrip("0") or "0"
    if scale:
        text += "." + "".join(part)[:scale]
    return f"-{text}" if sign == _NEGATIVE else text


def _group(groups: tuple[int, ...], at: int) -> str:
    return f"{groups[at]:04d}" if 0 <= at < len(groups) else "0000"


CODECS: dict[str, tuple[Callable[[Any], bytes], Callable[[bytes], Json]]] = {
    "numeric": (encode_numeric, decode_numeric),
}
