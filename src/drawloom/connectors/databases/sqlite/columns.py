"""How a chain value is stored in a column so that nothing of it is lost.

SQLite converts by the affinity of the column's declared type (sqlite.org/datatype3.html,
section 3.1), and does so in silence: '007' in an INTEGER column becomes 7. What
would change that way is refused here.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable
from typing import Any

from drawloom.sdk import Json
from drawloom.sdk.encoding import write_json

_WHOLE = re.compile(r"0|-?[1-9][0-9]*")
_LIKE_A_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*")
LARGEST_EXACT = 2**53


def affinity(declared: str) -> str:
    """The affinity of a declared type, by SQLite's five rules in their order."""
    name = declared.upper()
    if "INT" in name:
        return "INTEGER"
    if any(word in name for word in ("CHAR", "CLOB", "TEXT")):
        return "TEXT"
    if not name:
        return "ANY"
    if "BLOB" in name:
        return "BLOB"
    if any(word in name for word in ("REAL", "FLOA", "DOUB")):
        return "REAL"
    return "NUMERIC"


def storable(declared: str) -> Callable[[Json], Any]:
    """What makes a value fit for a column of that type. It raises ValueError with the reason."""
    return _STORES[affinity(declared)]


def guess(values: Iterable[Json]) -> str:
    """A column type that keeps every one of *values* as it is."""
    kinds = {_kind(value) for value in values if value is not None}
    if kinds == {"INTEGER", "REAL"}:
        return "NUMERIC"  # keeps whole numbers whole
    return kinds.pop() if len(kinds) == 1 else ""


def _kind(value: Json) -> str:
    if isinstance(value, int):
        return "INTEGER"
    return "REAL" if isinstance(value, float) else "TEXT"


def _integer(value: Json) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) <= LARGEST_EXACT:
        return int(value)
    if isinstance(value, str) and _WHOLE.fullmatch(value) and len(value) < 21:
        value = int(value)
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return value
    raise ValueError("an INTEGER column takes whole numbers of 64 bits")


def _real(value: Json) -> Any:
    exact = isinstance(value, int) and abs(value) <= LARGEST_EXACT
    if not isinstance(value, bool) and (exact or isinstance(value, float)):
        return float(value)
    raise ValueError("a REAL column takes numbers that a double holds exactly")


def _text(value: Json) -> Any:
    if isinstance(value, str):
        return value
    if isinstance(value, list | dict):
        return write_json(value)
    raise ValueError("a TEXT column takes text; it would turn a number into one")


def _blob(value: Json) -> Any:
    if isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except binascii.Error:
            pass
    raise ValueError("a BLOB column takes base64 (RFC 4648)")


def _numeric(value: Json) -> Any:
    if isinstance(value, str) and _LIKE_A_NUMBER.fullmatch(value):
        if not _WHOLE.fullmatch(value) or len(value) > 15:
            raise ValueError("the column would turn the text into a number; declare it TEXT")
        return int(value)
    return _any(value)


def _any(value: Json) -> Any:
    if isinstance(value, list | dict):
        return write_json(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError("an SQLite integer has 64 bits")
    return value


_STORES: dict[str, Callable[[Json], Any]] = {
    "INTEGER": _integer,
    "REAL": _real,
    "TEXT": _text,
    "BLOB": _blob,
    "NUMERIC": _numeric,
    "ANY": _any,
}
