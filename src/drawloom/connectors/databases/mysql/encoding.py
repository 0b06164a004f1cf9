"""Chain values for a column of a known type: exact, or a `ValueError` that says what is wanted."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

from drawloom.sdk import Json
from drawloom.sdk.encoding import write_json

Encoder = Callable[[Json], Any]

_WHOLE = re.compile(r"[-+]?\d{1,65}")
_NUMBER = re.compile(r"[-+]?\d{1,65}(\.\d{1,38})?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_DATETIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(\.\d+)?([Zz]|[-+]\d\d:\d\d)?")
_TIME = re.compile(r"-?\d{2,3}:[0-5]\d:[0-5]\d(\.\d+)?")


def encoder_of(kind: str, digits: int | None, declared: str) -> Encoder:
    """What makes a value for a column of the type *kind*; *digits* are those of its seconds."""
    if kind == "tinyint" and declared.startswith("tinyint(1)"):
        return _boolean
    if kind in ("datetime", "timestamp", "time"):
        return partial(_TIMES[kind], digits=digits or 0)
    return _ENCODERS.get(kind, _text)


def _wanted(what: str) -> ValueError:
    return ValueError(f"expected {what}")


def _integer(value: Json) -> Json:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wanted("an integer, or the decimal text of one")
    return value


def _boolean(value: Json) -> Json:
    return int(value) if isinstance(value, bool) else _integer(value)


def _decimal(value: Json) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _wanted("a number, or the decimal text of one")
    text = repr(value) if isinstance(value, int | float) else value
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text!r:.80} is no decimal number without an exponent")
    return Decimal(text)


def _float(value: Json) -> Json:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wanted("a number")
    if isinstance(value, int) and int(float(value)) != value:
        raise ValueError(f"{value} has more digits than a float keeps")
    return float(value)


def _text(value: Json) -> Json:
    if not isinstance(value, str):
        raise _wanted("a text")
    return value


def _set(value: Json) -> Json:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise _wanted("a list of texts")
    if any("," in one or not one for one in value):
        raise ValueError("a member of a SET is a text without a comma")
    return ",".join(value)


def _bytes(value: Json) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise _wanted("base64 (RFC 4648)") from None


def _bits(value: Json) -> Json:
    if not isinstance(value, str) or not value or value.strip("01"):
        raise _wanted('a text of 0 and 1, such as "0101"')
    return int(value, 2)


def _date(value: Json) -> Json:
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise _wanted("a date like 2026-01-31")
    return str(date.fromisoformat(value))


def _moment(value: Json, digits: int, *, offset: bool) -> datetime:
    like = "2026-01-31T10:30:00" + (
        "+01:00, with an offset or Z" if offset else ", without an offset"
    )
    found = _DATETIME.fullmatch(value) if isinstance(value, str) else None
    if found is None or (found[4] is None) is offset:
        raise _wanted(f"a time like {like} (RFC 3339)")
    _check_digits(found[3] or "", digits)
    zone = (found[4] or "").upper().replace("Z", "+00:00")
    return datetime.fromisoformat(f"{found[1]} {found[2]}{(found[3] or '.0')[:7]:0<7}{zone}")


def _check_digits(fraction: str, digits: int) -> None:
    if len(fraction.rstrip("0").lstrip(".")) > digits:
        raise ValueError(f"the column keeps {digits} digits of a second, the text has more")


def _datetime(value: Json, digits: int) -> Json:
    return _moment(value, digits, offset=False).isoformat(" ")


def _timestamp(value: Json, digits: int) -> Json:
    moment = _moment(value, digits, offset=True)
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ")


def _time(value: Json, digits: int) -> Json:
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise _wanted("a time like 10:30:00, up to 838:59:59")
    _check_digits(found[1] or "", digits)
    return found[0]


_TIMES = {"datetime": _datetime, "timestamp": _timestamp, "time": _time}
_ENCODERS: dict[str, Encoder] = {
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint", "year"), _integer),
    **dict.fromkeys(("decimal", "numeric"), _decimal),
    **dict.fromkeys(("float", "double"), _float),
    **dict.fromkeys(("binary", "varbinary", "blob", "tinyblob", "mediumblob", "longblob"), _bytes),
    "bit": _bits,
    "set": _set,
    "json": write_json,
    "date": _date,
}
