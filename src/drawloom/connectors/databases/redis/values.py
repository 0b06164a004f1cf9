"""What is in a key, and what of it is in a chain: text, JSON or base64, exact both ways."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from drawloom.errors import invalid
from drawloom.sdk import Json
from drawloom.sdk.encoding import encode_value, read_json, write_json

EncodingName: TypeAlias = Literal["text", "json", "base64"]
Encoding = Annotated[
    EncodingName,
    Field(description="What a value is in the chain: a text (UTF-8), any JSON, or bytes."),
]
Key = Annotated[str, Field(description="The whole name of the key.")]
Keys = Annotated[list[str], Field(min_length=1, max_length=10_000, description="Names of keys.")]
Value = Annotated[Json, Field(description="A value, as `encoding` says.")]
Values = Annotated[
    list[Json], Field(min_length=1, max_length=100_000, description="Values, as `encoding` says.")
]
Whole: TypeAlias = int | str  # a decimal string beyond 2^53-1
Score: TypeAlias = float | Literal["Infinity", "-Infinity"]

_CENTURY = 3_155_760_000
Seconds = Annotated[float, Field(ge=0.001, le=_CENTURY, description="Seconds from now.")]
Instant = Annotated[str, Field(description="An instant: RFC 3339 with an offset.")]

_SHOWN = 40  # bytes of what could not be read
_INFINITE = {"Infinity": "+inf", "-Infinity": "-inf"}


def encoded(value: Json, encoding: EncodingName, where: str = "value") -> bytes:
    """*value* as the server keeps it. Raises `ToolError` (invalid) that names *where*."""
    if encoding == "json":
        return write_json(value).encode()
    if not isinstance(value, str):
        kind = "null" if value is None else type(value).__name__
        raise invalid(f"{where}: {encoding} takes a text, not {kind}; say encoding: json for it")
    return value.encode() if encoding == "text" else _bytes(value, where)


def all_encoded(values: Iterable[Json], encoding: EncodingName, where: str) -> list[bytes]:
    """Each of *values* as the server keeps it."""
    return [encoded(value, encoding, f"{where}[{at}]") for at, value in enumerate(values)]


def pairs(fields: Mapping[str, Json], encoding: EncodingName, where: str) -> list[str | bytes]:
    """Name, value, name, value …"""
    words: list[str | bytes] = []
    for name, value in fields.items():
        words += [name, encoded(value, encoding, f"{where}[{name!r}]")]
    return words


def _bytes(value: str, where: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise invalid(f"{where}: not base64: {exc}") from None


def decoded(kept: bytes, encoding: EncodingName, where: str) -> Json:
    """What the server keeps, for a chain. Raises `ToolError` (invalid) that names *where*."""
    if encoding == "json":
        return read_json(kept, source=where)
    if encoding == "base64":
        return base64.b64encode(kept).decode("ascii")
    try:
        return kept.decode()
    except UnicodeDecodeError:
        shown = kept[:_SHOWN]
        raise invalid(f"{where}: {shown!r} is not UTF-8; read it with encoding: base64") from None


def maybe(kept: bytes | None, encoding: EncodingName, where: str) -> Json:
    """The same, and null for what is not there."""
    return None if kept is None else decoded(kept, encoding, where)


def all_decoded(kept: Iterable[bytes | None], encoding: EncodingName, where: str) -> list[Json]:
    """Each of *kept*, for a chain."""
    return [maybe(one, encoding, where) for one in kept]


def name_of(kept: bytes) -> str:
    """The name of a key, a field or a channel. One that is not UTF-8 cannot be said in a chain."""
    try:
        return kept.decode()
    except UnicodeDecodeError:
        raise invalid(
            f"the name {kept[:_SHOWN]!r} is not UTF-8, and a chain cannot hold it;"
            " leave it out by `match`"
        ) from None


def whole(number: int) -> Whole:
    """An integer, as a decimal string where a JSON number would not be exact."""
    kept: Whole = encode_value(number)
    return kept


def whole_of(kept: bytes, where: str) -> Whole:
    """The whole number that is kept as its decimal digits."""
    try:
        return whole(int(kept))
    except ValueError:
        raise invalid(f"{where}: the value is not a whole number") from None


def score_word(score: Json, where: str) -> str:
    """A score as the server takes it: the shortest decimal that gives the same double."""
    if score in _INFINITE:
        return _INFINITE[score]
    if isinstance(score, bool) or not isinstance(score, int | float) or float(score) != score:
        raise invalid(f"{where}: a score is a number that a double holds exactly, or 'Infinity'")
    return repr(float(score))


def score_of(kept: float) -> Score:
    """A score for a chain, whose numbers are finite."""
    if kept in (float("inf"), float("-inf")):
        return "Infinity" if kept > 0 else "-Infinity"
    return kept


def milliseconds(seconds: float) -> int:
    """The server counts in milliseconds; less than one is one."""
    return max(1, round(seconds * 1_000))


def instant_ms(instant: str, where: str) -> int:
    """Milliseconds since 1970 of an RFC 3339 instant."""
    try:
        moment = datetime.fromisoformat(instant)
    except ValueError as exc:
        raise invalid(f"{where}: not an RFC 3339 instant: {exc}") from None
    if moment.tzinfo is None:
        raise invalid(f"{where}: {instant!r} has no offset; add Z or +01:00")
    return round(moment.timestamp() * 1_000)
