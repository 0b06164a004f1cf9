"""From what the driver gives to chain values, by the type of each column.

The driver gives numbers as numbers and anything else as the server's text or
bytes; nothing passes through a Python type that keeps less.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from drawloom.errors import ValueInvalid
from drawloom.sdk import Json
from drawloom.sdk.encoding import LARGEST_INTEGER, encode_value, read_json

_DEEPEST = 195  # levels of JSON in a cell, which stands in a row of a list of an output
_TIMESTAMP, _BIGINT, _DATE, _TIME, _DATETIME, _BIT, _JSON = 7, 8, 10, 11, 12, 16, 245
_FLOATS = (4, 5)
_PLAIN = frozenset({0, 1, 2, 3, 6, 9, 13, 246})  # a small integer, a decimal's text, or NULL
_TEXTS = frozenset({15, 247, 248, 249, 250, 251, 252, 253, 254, 255})
_IS_ENUM, _IS_SET = 1 << 8, 1 << 11
_NO_CHARSET = 63


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a result. `read` makes a chain value of a cell, None where it already is one.

    `fits` tells of many cells at once, null among them, whether each is one as it stands.
    `kind` is the type in the words of information_schema, of texts and bytes just
    "text" and "blob".
    """

    name: str
    kind: str
    read: Callable[[Any], Json] | None
    fits: Callable[[list[Any]], bool]


def columns_of(fields: Sequence[Any]) -> list[Column]:
    """The columns that the server describes."""
    return [
        Column(field.name, _kind(field), _reader(field), _FITS.get(field.type_code, _never))
        for field in fields
    ]


_KINDS = {
    **dict.fromkeys((1, 2, 3, _BIGINT, 9, 13), "bigint"),
    **dict.fromkeys((0, 246), "decimal"),
    4: "float",
    5: "double",
    _TIMESTAMP: "timestamp",
    _DATE: "date",
    _TIME: "time",
    _DATETIME: "datetime",
    _BIT: "bit",
    _JSON: "json",
    255: "geometry",
}


def _kind(field: Any) -> str:
    if field.type_code in _KINDS:
        return _KINDS[field.type_code]
    if field.flags & (_IS_SET | _IS_ENUM):
        return "set" if field.flags & _IS_SET else "enum"
    return "blob" if field.charsetnr == _NO_CHARSET else "text"


def _reader(field: Any) -> Callable[[Any], Json] | None:
    kind = field.type_code
    if kind == _BIT:
        return lambda cell: _bits(cell, field.length)
    if kind in _TEXTS:
        if field.flags & _IS_SET:
            return lambda cell: cell.split(",") if cell else []
        return _bytes if field.charsetnr == _NO_CHARSET else None
    return None if kind in _PLAIN else _READERS.get(kind, encode_value)


def exact_int(number: int) -> Json:
    """An integer, as a decimal string beyond what every reader of JSON keeps."""
    return number if -LARGEST_INTEGER <= number <= LARGEST_INTEGER else str(number)


def read_cell(text: str | bytes) -> Json:
    """JSON of a cell. A row that holds it is not the outermost part of a value."""
    value: Json = read_json(text, max_depth=_DEEPEST)
    return value


def _number(number: float) -> float:
    if not math.isfinite(number):
        raise ValueInvalid(f"{number} is no number of JSON")
    return number


def _are_exact(cells: list[Any]) -> bool:
    numbers = [cell for cell in cells if cell is not None] if None in cells else cells
    return not numbers or -LARGEST_INTEGER <= min(numbers) <= max(numbers) <= LARGEST_INTEGER


def _are_finite(cells: list[Any]) -> bool:
    return math.isfinite(sum(cell for cell in cells if cell is not None))


def _never(cells: list[Any]) -> bool:
    return False


def _bytes(cell: Any) -> Json:
    return base64.b64encode(cell).decode() if isinstance(cell, bytes) else cell


def _bits(cell: Any, width: int) -> str:
    raw = cell if isinstance(cell, bytes) else cell.encode("latin1")
    return f"{int.from_bytes(raw):0{width}b}"


def _date(text: str) -> str:
    """MySQL knows days that are none. They are not null, and no RFC 3339 date either."""
    if text.startswith("0000") or "-00" in text:
        raise ValueInvalid(
            f"{text} is no date; leave it out, or make it null: NULLIF(column, '{text}')"
        )
    return text


def _without_zeros(text: str) -> str:
    whole, _, fraction = text.partition(".")
    return text if fraction.strip("0") else whole


def _datetime(text: str) -> str:
    return _date(_without_zeros(text)).replace(" ", "T")


_READERS: dict[int, Callable[[Any], Json]] = {
    _BIGINT: exact_int,
    _DATE: _date,
    _DATETIME: _datetime,
    _TIMESTAMP: lambda text: _datetime(text) + "Z",  # the session is in UTC
    _TIME: _without_zeros,
    _JSON: read_cell,
    **dict.fromkeys(_FLOATS, _number),
}
_FITS = {_BIGINT: _are_exact, **dict.fromkeys(_FLOATS, _are_finite)}

_BY_NAME: dict[str, Callable[[Any], Json]] = {
    "date": _date,
    "datetime": _datetime,
    "timestamp": _READERS[_TIMESTAMP],
    "time": _without_zeros,
    "json": read_cell,
    "float": float,
    "double": float,
    "year": int,
    "set": lambda text: text.split(",") if text else [],
    "bit": lambda number: f"{int(number):b}",
}


def reader_of(kind: str) -> Callable[[Any], Json]:
    """What makes a chain value of a variable that holds a *kind* (as information_schema says)."""
    return _BY_NAME.get(kind, lambda cell: cell)
