"""What is in a key, and what of it is in a chain: text, JSON or base64, exact both ways."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from drawloom.errors import invalid
from drawloom.sdk import Json
from drawloom.sdk.encoding import encode_value, read_json, write_json

EncodingName: TypeAlias = Literal["text", "json", "base64"]
Encoding = Annotated[
    EncodingName,
    Field(description="What a value is in the chain: a text (UTF-8), any JSON, or bytes."),
]
Key = Annotated[str, Field(description="The key, or its name in full.")]
Value = Annotated[Json, Field(description="A value as `encoding` says.")]
Whole: TypeAlias = int | str  # a decimal string beyond 2^53-1
Score: TypeAlias = float | Literal["Infinity", "-Infinity"]

_SHOWN = 40  # bytes of what could not be read


def encoded(value: Json, encoding: EncodingName, where: str = "value") -> bytes:
    """*value* as the server keeps it. Raises `ToolError` (invalid) that names *where*."""
    if encoding == "json":
        return write_json(value).encode()
    if not isinstance(value, str):
        kind = type(value).__name__
        raise invalid(
            f"{where}: {encoding} takes a text, and this is {kind}; say encoding: json for it"
        )
    return value.encode() if encoding == "text" else _bytes(value, where)


def _bytes(value: str, where: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise invalid(f"{where}: not base64: {exc}") from None


def decoded(stored: bytes, encoding: EncodingName, where: str) -> Json:
    """What the server keeps, for a chain. Raises `ToolError` (invalid) that names *where*."""
    if encoding == "json":
        return read_json(stored, source=where)
    if encoding == "base64":
        return base64.b64encode(stored).decode("ascii")
    return text_of(stored, where)


def text_of(stored: bytes, where: str) -> str:
    """A name or a value that must be UTF-8."""
    try:
        return stored.decode()
    except UnicodeDecodeError:
        shown = stored[:_SHOWN]
        raise invalid(f"{where}: {shown!r} is not UTF-8; read it with encoding: base64") from None


def maybe(stored: Any, encoding: EncodingName, where: str) -> Json:
    """The same, and null for what is not there."""
    return None if stored is None else decoded(stored, encoding, where)


def whole(number: int) -> Whole:
    """An integer, as a decimal string where a JSON number would not be exact."""
    kept: Whole = encode_value(number)
    return kept
