"""What a value is: I-JSON (RFC 7493), and the one written-down encoding of everything else.

| Python                        | in a chain                                              |
|-------------------------------|---------------------------------------------------------|
| str, bool, None, finite float | as it is                                                |
| int within +-(2^53-1)         | as it is                                                |
| any other int                 | decimal string, at most 4,300 digits                    |
| Decimal                       | decimal string without exponent, its zeros kept         |
| date, time, datetime          | RFC 3339 string (naive where it has no offset)          |
| timedelta                     | ISO 8601 duration                                       |
| UUID                          | string                                                  |
| bytes, bytearray, memoryview  | base64 string (RFC 4648 section 4, padded)              |
| Enum of str or number         | its value                                               |
| list, tuple                   | array                                                   |
| dict, Mapping with str keys   | object                                                  |

NaN, infinities, lone surrogates, duplicate keys, sets and objects are refused.
Noncharacters (U+FFFE and the like) are let through, though RFC 7493 section 2.1
would refuse them: Unicode's Corrigendum 9 allows their interchange, every other
JSON library passes them, and refusing would lose rows of real databases.
"""

from __future__ import annotations

import contextlib
from typing import Any, Final

import msgspec

from drawloom.dataflow.values_canonical import canonical_json
from drawloom.dataflow.values_encoding import (
    DEEPEST,
    LARGEST_INTEGER,
    MOST_DIGITS,
    UNDEFINED,
    Undefined,
    depth_within,
    encode_output,
    encode_value,
    is_plain,
    pointer,
    well_formed,
)
from drawloom.dataflow.values_reading import named, read_slowly
from drawloom.errors import ValueInvalid

__all__ = [
    "DEEPEST",
    "LARGEST_INTEGER",
    "LARGEST_TEXT",
    "MOST_DIGITS",
    "UNDEFINED",
    "Undefined",
    "canonical_json",
    "depth_within",
    "encode_output",
    "encode_value",
    "pointer",
    "read_json",
    "well_formed",
    "write_json",
]

LARGEST_TEXT: Final = 64 * 1024 * 1024


def read_json(
    text: bytes | str,
    *,
    max_bytes: int = LARGEST_TEXT,
    max_depth: int = DEEPEST,
    source: str = "",
) -> Any:
    """Read strict I-JSON (RFC 7493): a fraction becomes the nearest double, a big int a string.

    Refused with `ValueInvalid`, which names line, column and *source*:
    duplicate keys, NaN and numbers beyond a double, lone surrogates, a byte
    order mark, text that is not UTF-8, over *max_bytes*, nested over
    *max_depth* (at most 200), and integers of more than 4,300 digits.
    """
    if len(text) > max_bytes:
        raise ValueInvalid(named(source, f"over {max_bytes} bytes of JSON"))
    depth = min(max_depth, DEEPEST)
    try:
        value = _DECODER.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        value = _REFUSED
    if value is _REFUSED:
        return read_slowly(text, depth, source)
    if type(value) is not dict and type(value) is not list:
        return encode_value(value)
    if _may_hide_duplicates(text, value):
        return read_slowly(text, depth, source)
    return value if is_plain(value, depth) else _with_big_integers(text, value, depth, source)


def _with_big_integers(text: bytes | str, value: Any, depth: int, source: str) -> Any:
    """What the decoder gave holds integers beyond a double, or is too deep."""
    if depth == DEEPEST:
        with contextlib.suppress(ValueInvalid):
            return encode_value(value)
    return read_slowly(text, depth, source)


_REFUSED: Final = object()
_DECODER = msgspec.json.Decoder()


def _may_hide_duplicates(text: bytes | str, value: Any) -> bool:
    """Whether the decoder may have dropped a key that stands there twice.

    Each key has its colon, so that a dropped one leaves fewer of them when the
    value is written again; only an escaped colon could make up for it.
    """
    written = msgspec.json.encode(value).count(b":")
    if isinstance(text, str):
        return text.count(":") != written or "\\u003a" in text or "\\u003A" in text
    return text.count(b":") != written or b"\\u003a" in text or b"\\u003A" in text


def write_json(value: Any, indent: int | None = None) -> str:
    """*value* as compact JSON text, or with *indent* spaces per level; encodes it first.

    Keys keep their order. `read_json` of it gives `encode_value(value)` again.
    Raises `ValueInvalid` as `encode_value` does.
    """
    written = msgspec.json.encode(encode_value(value))
    if indent is not None:
        written = msgspec.json.format(written, indent=indent)
    return written.decode()
