"""Canonical JSON (JCS, RFC 8785): one text per value, for digests and comparisons."""

from __future__ import annotations

import json
from json.encoder import encode_basestring as _quoted
from typing import Any

from drawloom.dataflow.values_encoding import encode_value


def canonical_json(value: Any) -> bytes:
    """*value* as RFC 8785 writes it, in UTF-8: equal values give equal bytes.

    Keys stand in the order of their UTF-16 code units, numbers as ECMAScript
    writes them (so that 5 and 5.0 are one number). Raises `ValueInvalid` as
    `encode_value` does.
    """
    encoded = encode_value(value)
    if _is_simple(encoded):
        return _SIMPLE.encode(encoded).encode()
    return "".join(_parts(encoded)).encode()


_SIMPLE = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), sort_keys=True, check_circular=False
)


def _is_simple(value: Any) -> bool:
    """Whether the C encoder writes the same: no floats, and keys that sort alike in UTF-16."""
    kind = type(value)
    if kind is dict:
        return all(map(str.isascii, value)) and all(map(_is_simple, value.values()))
    if kind is list:
        return all(map(_is_simple, value))
    return kind is not float


def _parts(value: Any) -> list[str]:
    made: list[str] = []
    _write(value, made.append)
    return made


def _write(value: Any, put: Any) -> None:
    if isinstance(value, dict):
        mark = "{"
        for key in sorted(value, key=_utf16):
            put(f"{mark}{_quoted(key)}:")
            _write(value[key], put)
            mark = ","
        put("}" if value else "{}")
    elif isinstance(value, list):
        mark = "["
        for inner in value:
            put(mark)
            _write(inner, put)
            mark = ","
        put("]" if value else "[]")
    elif isinstance(value, float):
        put(es_number(value))
    else:
        put(_quoted(value) if isinstance(value, str) else json.dumps(value))


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be")


def es_number(value: float) -> str:
    """A finite double as ECMAScript's Number::toString writes it (ECMA-262, 6.1.6.1.20).

    Python's repr finds the same shortest digits; only their layout differs.
    """
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    # The value is 0.DIGITS times ten to the power of `point`.
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    return sign + _laid_out(digits.rstrip("0"), point)


def _laid_out(digits: str, point: int) -> str:
    if not digits:
        return "0"
    if len(digits) <= point <= 21:
        return digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{fraction}e{point - 1:+d}"
