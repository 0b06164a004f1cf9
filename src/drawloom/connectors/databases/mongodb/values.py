"""Values there and back: BSON as I-JSON, by MongoDB Extended JSON v2, relaxed.

What JSON has is as it is. Every other type is an object with one name that begins
with `$` ({"$oid": …}); an integer beyond 53 bits is one, too. So an object that
comes from data and has such a name is a typed value or is refused: it can never be
an operator. Nothing is rounded.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from drawloom.errors import ToolError, invalid

_EXACT = 2**53 - 1
_LONG = 2**63
_DATE = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")
_OBJECT_ID = re.compile(r"[0-9a-fA-F]{24}")
_UUID = re.compile(r"[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_ROOM = 190  # a chain takes values of 200 levels, and a document is within a result
_PLAIN = (str, bool, float, type(None))


def to_bson(value: Any, where: str = "value") -> Any:
    """*value* as the driver takes it; *where* is its place, for what is said if it is wrong."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is int:
        return _integer(value, where)
    if kind is dict:
        if any(key[:1] == "$" for key in value):
            return _typed(value, where)
        return {_key(k, where): to_bson(v, f"{where}.{k}") for k, v in value.items()}
    if kind is list:
        return [to_bson(v, f"{where}[{place}]") for place, v in enumerate(value)]
    raise invalid(f"{where}: {kind.__name__} is no JSON value")


def document(value: Any, where: str = "document") -> dict[str, Any]:
    """A document to be stored: an object none of whose own names begins with `$`."""
    if not isinstance(value, dict) or any(key[:1] == "$" for key in value):
        raise invalid(f"{where}: a document is an object whose names do not begin with $")
    found: dict[str, Any] = to_bson(value, where)
    return found


def _key(key: str, where: str) -> str:
    if "\0" in key:
        raise invalid(f"{where}: the name {key!r:.80} holds a NUL")
    return key


def _integer(value: int, where: str) -> int:
    if not -_LONG <= value < _LONG:
        raise invalid(f'{where}: {value} is beyond 64 bits; give {{"$numberDecimal": "…"}}')
    return value


def _typed(value: dict[str, Any], where: str) -> Any:
    """A value of a type that JSON lacks, by the name that begins with `$`."""
    name = next(key for key in value if key[:1] == "$")
    make = _TYPES.get(name)
    if make is None or not value.keys() <= _WITH.get(name, {name}):
        raise invalid(
            f"{where}: {name} is an operator or unknown, and a value may not hold one;"
            " of such names a value has those of Extended JSON, alone ($oid, $date, …)"
        )
    try:
        return make(value)
    except (ValueError, TypeError, KeyError, ArithmeticError, binascii.Error, ToolError) as exc:
        raise invalid(f"{where}: {value!r:.120} is no {name}: {exc}") from None


def _text(given: Any, pattern: re.Pattern[str] | None = None) -> str:
    if not isinstance(given, str) or (pattern is not None and not pattern.fullmatch(given)):
        raise ValueError("it is not written so")
    return given


def _object_id(value: dict[str, Any]) -> Any:
    from bson import ObjectId

    return ObjectId(_text(value["$oid"], _OBJECT_ID))


def _decimal(value: dict[str, Any]) -> Any:
    from bson import Decimal128

    return Decimal128(_text(value["$numberDecimal"]))


def _whole(limit: int, name: str) -> Callable[[dict[str, Any]], Any]:
    def make(value: dict[str, Any]) -> Any:
        from bson import Int64

        found = int(_text(value[name], re.compile(r"-?\d{1,19}")))
        if not -limit <= found < limit:
            raise ValueError("it is too large")
        return Int64(found) if limit == _LONG else found

    return make


def _double(value: dict[str, Any]) -> float:
    text = _text(value["$numberDouble"])
    return float({"Infinity": "inf", "-Infinity": "-inf", "NaN": "nan"}.get(text, text))


def _date(value: dict[str, Any]) -> Any:
    from bson.datetime_ms import DatetimeMS

    given = value["$date"]
    if isinstance(given, dict) and given.keys() == {"$numberLong"}:
        return DatetimeMS(int(_typed(given, "$date")))
    since = datetime.fromisoformat(_text(given, _DATE).upper()) - _EPOCH
    if since % _MILLISECOND:
        raise ValueError("MongoDB keeps whole milliseconds")
    return DatetimeMS(since // _MILLISECOND)


def _binary(value: dict[str, Any]) -> Any:
    from bson import Binary

    given = value["$binary"]
    if not isinstance(given, dict) or given.keys() != {"base64", "subType"}:
        raise ValueError("it has base64 and subType")
    subtype = int(_text(given["subType"], re.compile(r"[0-9a-fA-F]{1,2}")), 16)
    content = base64.b64decode(_text(given["base64"]), validate=True)
    return Binary(content, subtype)


def _uuid(value: dict[str, Any]) -> Any:
    from uuid import UUID

    from bson import Binary

    return Binary(UUID(_text(value["$uuid"], _UUID)).bytes, 4)


def _regex(value: dict[str, Any]) -> Any:
    from bson import Regex

    given = value["$regularExpression"]
    if not isinstance(given, dict) or given.keys() != {"pattern", "options"}:
        raise ValueError("it has pattern and options")
    return Regex(_text(given["pattern"]), _text(given["options"], re.compile("[ilmsux]*")))


def _timestamp(value: dict[str, Any]) -> Any:
    from bson import Timestamp

    given = value["$timestamp"]
    if not isinstance(given, dict) or given.keys() != {"t", "i"}:
        raise ValueError("it has t and i")
    if not all(type(part) is int and 0 <= part < 2**32 for part in given.values()):
        raise ValueError("t and i are whole numbers of 32 bits")
    return Timestamp(given["t"], given["i"])


def _bound(name: str) -> Callable[[dict[str, Any]], Any]:
    def make(value: dict[str, Any]) -> Any:
        from bson import MaxKey, MinKey

        if value[name] != 1:
            raise ValueError("it is written 1")
        return MinKey() if name == "$minKey" else MaxKey()

    return make


def _reference(value: dict[str, Any]) -> Any:
    from bson import DBRef

    database = value.get("$db")
    inner = to_bson(value["$id"], "$id")
    return DBRef(_text(value["$ref"]), inner, None if database is None else _text(database))


_TYPES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "$oid": _object_id,
    "$numberDecimal": _decimal,
    "$numberLong": _whole(_LONG, "$numberLong"),
    "$numberInt": _whole(2**31, "$numberInt"),
    "$numberDouble": _double,
    "$date": _date,
    "$binary": _binary,
    "$uuid": _uuid,
    "$regularExpression": _regex,
    "$timestamp": _timestamp,
    "$minKey": _bound("$minKey"),
    "$maxKey": _bound("$maxKey"),
    "$ref": _reference,
    "$id": _reference,
}
_WITH = {"$ref": {"$ref", "$id", "$db"}, "$id": {"$ref", "$id", "$db"}}


def is_typed(value: dict[str, Any]) -> bool:
    """Whether an object is a value of Extended JSON, not one with operators."""
    names = value.keys()
    return any(names <= _WITH.get(name, {name}) for name in names if name in _TYPES)


def from_bson(value: Any, room: int = _ROOM) -> Any:
    """What the driver gives, as I-JSON of *room* levels at most. Documents and lists are
    changed in place."""
    kind = type(value)
    if kind is dict:
        return _read_document(value, room)
    if kind is list:
        return _read_list(value, room)
    read = _readers().get(kind)
    return value if read is None else read(value)


def documents(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Documents as the driver gives them, as I-JSON, in place."""
    for one in found:
        _read_document(one, _ROOM)
    return found


def _read_document(value: dict[str, Any], room: int) -> dict[str, Any]:
    readers = _readers()
    for key, inner in value.items():
        if key[:1] == "$":
            raise invalid(
                f"a stored document has the name {key!r:.80}, which in a chain is that of"
                " a typed value; leave it out by `projection`"
            )
        kind = type(inner)
        if kind is dict or kind is list:
            _read_part(inner, room - 1)
        elif (read := readers.get(kind)) is not None:
            value[key] = read(inner)
    return value


def _read_list(value: list[Any], room: int) -> list[Any]:
    readers = _readers()
    for place, inner in enumerate(value):
        kind = type(inner)
        if kind is dict or kind is list:
            _read_part(inner, room - 1)
        elif (read := readers.get(kind)) is not None:
            value[place] = read(inner)
    return value


def _read_part(value: Any, room: int) -> None:
    if not room:
        raise invalid(f"a stored document is nested more than {_ROOM} deep")
    if type(value) is dict:
        _read_document(value, room)
    else:
        _read_list(value, room)


def _read_float(value: float) -> Any:
    if math.isfinite(value):
        return value
    return {"$numberDouble": "NaN" if math.isnan(value) else f"{'-' * (value < 0)}Infinity"}


def _read_long(value: int) -> Any:
    return int(value) if -_EXACT <= value <= _EXACT else {"$numberLong": str(int(value))}


def _read_date(value: datetime) -> Any:
    unit = "milliseconds" if value.microsecond else "seconds"
    return {"$date": value.isoformat(timespec=unit).removesuffix("+00:00") + "Z"}


def _read_binary(value: Any) -> Any:
    text = base64.b64encode(value).decode()
    return {"$binary": {"base64": text, "subType": f"{getattr(value, 'subtype', 0):02x}"}}


def _read_regex(value: Any) -> Any:
    flags = zip((2, 4, 8, 16, 64), "ilmsx", strict=True)  # as `re` numbers them
    options = "".join(letter for flag, letter in flags if value.flags & flag)
    return {"$regularExpression": {"pattern": value.pattern, "options": options}}


def _read_reference(value: Any) -> Any:
    found = {"$ref": value.collection, "$id": from_bson(value.id)}
    return found if value.database is None else {**found, "$db": value.database}


def _read_code(value: Any) -> Any:
    return {"$code": str(value)}


@cache
def _readers() -> dict[type, Callable[[Any], Any]]:
    """How each type that is not JSON's is read. What is not here is as it is."""
    import bson
    from bson.datetime_ms import DatetimeMS

    return {
        float: _read_float,
        datetime: _read_date,
        bytes: _read_binary,
        bson.Int64: _read_long,
        bson.ObjectId: lambda value: {"$oid": str(value)},
        bson.Decimal128: lambda value: {"$numberDecimal": str(value)},
        DatetimeMS: lambda value: {"$date": {"$numberLong": str(int(value))}},
        bson.Binary: _read_binary,
        bson.Regex: _read_regex,
        bson.Timestamp: lambda value: {"$timestamp": {"t": value.time, "i": value.inc}},
        bson.MinKey: lambda _: {"$minKey": 1},
        bson.MaxKey: lambda _: {"$maxKey": 1},
        bson.DBRef: _read_reference,
        bson.Code: _read_code,
    }
