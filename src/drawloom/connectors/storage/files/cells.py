"""Between a CSV field, which is text, and a value: converted only where nothing is lost."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from drawloom.sdk import Json, invalid

ColumnType: TypeAlias = Literal["string", "integer", "number", "boolean"]
Converter: TypeAlias = Callable[[str, str, int, str], Json]

_LARGEST = 2**53 - 1
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,15})")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,4})?")


def converter(kind: ColumnType) -> Converter:
    """The function that reads a field as *kind*; it raises `ToolError` naming line and column."""
    read = _READERS[kind]

    def convert(text: str, path: str, line: int, column: str) -> Json:
        if not text:
            return None
        value = read(text)
        if value is None:
            shown = text if len(text) <= 60 else text[:60] + "…"
            raise invalid(
                f"{path!r} line {line}, column {column!r}: {shown!r} cannot be read as {kind} "
                "without a loss; read the column as string"
            )
        return value

    return convert


def cell_text(value: Json, row: int, column: str) -> str:
    """*value* as a field. Raises `ToolError` (invalid) for a list or object."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int() | float():
            return repr(value)
    kind = "list" if isinstance(value, list) else "object"
    raise invalid(f"rows/{row}/{column}: a field cannot hold a {kind}; write JSON Lines instead")


def _integer(text: str) -> int | None:
    # `007` is an identifier rather than a number: its zeros would be lost.
    if not _INTEGER.fullmatch(text) or text == "-0":
        return None
    value = int(text)
    return value if -_LARGEST <= value <= _LARGEST else None


def _number(text: str) -> int | float | None:
    if (whole := _integer(text)) is not None:
        return whole
    # Longer than any double's shortest form with some zeros: it would lose digits.
    if not _NUMBER.fullmatch(text) or len(text) > 100:
        return None
    value = float(text)
    # The double must be the number that is written, not one beside it.
    exact = value not in (float("inf"), float("-inf")) and Decimal(repr(value)) == Decimal(text)
    return value if exact else None


def _boolean(text: str) -> bool | None:
    return {"true": True, "false": False}.get(text.lower())


_READERS: dict[ColumnType, Callable[[str], Any]] = {
    "string": str,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
}
