"""Encoding of Python values as I-JSON; `values` has the table, and is where to import from."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final

from drawloom.errors import ValueInvalid

LARGEST_INTEGER: Final = 2**53 - 1
MOST_DIGITS: Final = 4_300
DEEPEST: Final = 200

_INFINITY: Final = math.inf
_CHUNK: Final = 64 * 1024


class Undefined:
    """The type of `UNDEFINED`: what a reference or expression gives where nothing is."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "UNDEFINED"

    def __reduce__(self) -> str:
        return "UNDEFINED"  # so that a copy is the same object


UNDEFINED: Final = Undefined()


def pointer(path: Iterable[str | int]) -> str:
    """JSON Pointer (RFC 6901) of the path segments *path*; "" is the whole value."""
    return "".join(f"/{_escaped(segment)}" for segment in path)


def _escaped(segment: str | int) -> str:
    text = str(segment).replace("~", "~0").replace("/", "~1")
    # A key that is itself malformed must not make its error unprintable.
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def encode_value(value: Any) -> Any:
    """*value* as I-JSON; the same object where nothing had to change.

    Raises `ValueInvalid` with the JSON Pointer of what cannot be encoded, or is
    nested more than 200 deep (as a value that contains itself is).
    """
    kind = type(value)
    if kind is dict or kind is list:
        return value if is_plain(value, DEEPEST) else _encode(value, ())
    if value is None or kind is bool:
        return value
    if kind is int and -LARGEST_INTEGER <= value <= LARGEST_INTEGER:
        return value
    if kind is str and value.isascii():
        return value
    return _encode(value, ())


def encode_output(output: Any, args: Mapping[str, Any]) -> Any:
    """`encode_value` of what a call gave for *args*, which are I-JSON already.

    A member that is the very object that came in is not walked again, so that
    a large value costs nothing in the steps that only hand it on.
    """
    kind = type(output)
    if kind is dict or kind is list:
        for value in args.values():
            if (type(value) is dict or type(value) is list) and _plain_besides(output, args):
                return output
    elif (
        (kind is int and -LARGEST_INTEGER <= output <= LARGEST_INTEGER)
        or output is None
        or kind is bool
        or (kind is str and output.isascii())
    ):
        return output
    return encode_value(output)


def _plain_besides(output: Any, args: Mapping[str, Any]) -> bool:
    """Whether *output* is I-JSON, taking the word of those who made the values of *args*."""
    if any(output is value for value in args.values()):
        return True
    if type(output) is list:
        return False
    passed = {id(value) for value in args.values()}
    rest = {key: None if id(inner) in passed else inner for key, inner in output.items()}
    return is_plain(rest, DEEPEST)


def is_plain(value: Any, room: int) -> bool:
    """Whether the dict or list *value* already is I-JSON. The hot path: types are exact."""
    if type(value) is dict:
        for key in value:
            if type(key) is not str or not (key.isascii() or well_formed(key)):
                return False
        value = value.values()
    for inner in value:
        kind = type(inner)
        if kind is str:
            fine = inner.isascii() or well_formed(inner)
        elif kind is int:
            fine = -LARGEST_INTEGER <= inner <= LARGEST_INTEGER
        elif kind is float:
            fine = -_INFINITY < inner < _INFINITY
        elif kind is dict or kind is list:
            fine = room > 1 and is_plain(inner, room - 1)
        else:
            fine = inner is None or kind is bool
        if not fine:
            return False
    return True


def depth_within(value: Any, room: int) -> bool:
    """Whether *value* has at most *room* containers inside one another."""
    if type(value) is dict:
        value = value.values()
    elif type(value) is not list:
        return True
    return room > 0 and all(depth_within(inner, room - 1) for inner in value)


def well_formed(text: str) -> bool:
    """Whether *text* has no surrogates. In pieces, so that a big string is never copied whole."""
    try:
        for start in range(0, len(text), _CHUNK):
            text[start : start + _CHUNK].encode()
    except UnicodeEncodeError:
        return False
    return True


_Path = tuple[str | int, ...]


def _encode(value: Any, path: _Path) -> Any:
    """The careful walk: changes what must change, and knows where it is."""
    if len(path) > DEEPEST:
        raise ValueInvalid(
            f"nested more than {DEEPEST} deep (does it contain itself?)", pointer(path[:20])
        )
    found = _ENCODERS.get(type(value)) or _encoder_of_ancestor(value)
    if found is None:
        raise ValueInvalid(_refusal(value), pointer(path))
    return found(value, path)


def _encoder_of_ancestor(value: Any) -> Callable[[Any, _Path], Any] | None:
    if isinstance(value, Enum):
        return _enum
    for kind in type(value).__mro__:
        if kind in _ENCODERS:
            return _ENCODERS[kind]
        # By name: the module of UUIDs also makes random ones, so this room does not import it.
        if kind.__module__ == "uuid" and kind.__name__ == "UUID":
            return _uuid
    return _object if isinstance(value, Mapping) else None


def _refusal(value: Any) -> str:
    name = type(value).__qualname__
    if value is UNDEFINED:
        return "there is no value here (undefined)"
    if isinstance(value, set | frozenset):
        return f"a {name} has no order in JSON; give a sorted list"
    if isinstance(value, complex):
        return "a complex number has no JSON form; give its parts"
    return f"a value of type {name} has no JSON form; give a str, number, bool, None, list or dict"


def _same(value: Any, path: _Path) -> Any:
    return value


def _text(value: str, path: _Path) -> str:
    if not value.isascii() and not well_formed(value):
        raise ValueInvalid("the text has a lone surrogate, which is no character", pointer(path))
    return value if type(value) is str else str.__str__(value)


def _integer(value: int, path: _Path) -> int | str:
    if -LARGEST_INTEGER <= value <= LARGEST_INTEGER:
        return value if type(value) is int else int(value)
    # log10(2) is 0.30103: too many bits are told before the digits are computed.
    if value.bit_length() * 0.30103 < MOST_DIGITS + 1:
        text = _digits(value)
        if len(text.lstrip("-")) <= MOST_DIGITS:
            return text
    raise ValueInvalid(f"the integer has more than {MOST_DIGITS} digits", pointer(path))


def _digits(value: int) -> str:
    # Not str(): its limit is a setting of the interpreter, and `format` of a Decimal has none.
    return format(Decimal(value), "f")


def _float(value: float, path: _Path) -> float:
    if not -_INFINITY < value < _INFINITY:
        raise ValueInvalid(f"{float(value)} is no JSON number (RFC 7493, 2.2)", pointer(path))
    return value if type(value) is float else float(value)


def _decimal(value: Decimal, path: _Path) -> str:
    if not value.is_finite():
        raise ValueInvalid(f"{value} is no JSON number", pointer(path))
    exponent = value.as_tuple().exponent
    if max(abs(value.adjusted()), abs(int(exponent))) >= MOST_DIGITS:
        raise ValueInvalid(
            f"the decimal has more than {MOST_DIGITS} digits when written out", pointer(path)
        )
    return format(value, "f")


def _moment(value: datetime, path: _Path) -> str:
    return _whole_minutes(value).isoformat()


def _whole_minutes(value: datetime) -> datetime:
    """RFC 3339 (4.2) has no seconds in an offset, as local mean times do: those go to UTC."""
    offset = value.utcoffset()
    return value.astimezone(UTC) if offset is not None and offset % _MINUTE else value


_MINUTE = timedelta(minutes=1)


def _clock(value: time, path: _Path) -> str:
    offset = value.utcoffset()
    if offset is not None and offset % _MINUTE:
        raise ValueInvalid("a time's offset must be whole minutes (RFC 3339)", pointer(path))
    return value.isoformat()


def _day(value: date, path: _Path) -> str:
    return value.isoformat()


def _duration(value: timedelta, path: _Path) -> str:
    """ISO 8601, exact to the microsecond: P1DT2H3M4.5S; a minus sign stands in front."""
    sign, rest = ("-", -value) if value < timedelta() else ("", value)
    minutes, seconds = divmod(rest.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours}H" * (hours > 0) + f"{minutes}M" * (minutes > 0)
    if seconds or rest.microseconds:
        fraction = f".{rest.microseconds:06d}".rstrip("0") if rest.microseconds else ""
        clock += f"{seconds}{fraction}S"
    days = f"{rest.days}D" * (rest.days > 0)
    if not days and not clock:
        return "PT0S"
    return f"{sign}P{days}" + (f"T{clock}" if clock else "")


def _bytes(value: bytes | bytearray | memoryview, path: _Path) -> str:
    return base64.b64encode(value).decode("ascii")


def _uuid(value: Any, path: _Path) -> str:
    return str(value)


def _enum(value: Enum, path: _Path) -> Any:
    if isinstance(value.value, str | int | float):
        return _encode(value.value, path)
    raise ValueInvalid(
        f"{value!r} has no JSON form: its value is no text or number", pointer(path)
    )


def _array(value: Any, path: _Path) -> list[Any]:
    done: list[Any] | None = None if type(value) is list else list(value)
    for index, inner in enumerate(value):
        made = _encode(inner, (*path, index))
        if made is not inner:
            if done is None:
                done = list(value)
            done[index] = made
    return value if done is None else done


def _object(value: Mapping[Any, Any], path: _Path) -> dict[str, Any]:
    made: dict[str, Any] = {}
    changed = type(value) is not dict
    for key, inner in value.items():
        if not isinstance(key, str):
            raise ValueInvalid(f"the key {key!r:.100} is no text; keys are str", pointer(path))
        name = _encode(key, path)
        if name in made:
            raise ValueInvalid(f"the key {name!r} stands there twice", pointer(path))
        made[name] = _encode(inner, (*path, name))
        changed = changed or made[name] is not inner or name is not key
    return made if changed else value  # type: ignore[return-value]


_ENCODERS: dict[type, Callable[[Any, _Path], Any]] = {
    str: _text,
    bool: _same,
    type(None): _same,
    int: _integer,
    float: _float,
    Decimal: _decimal,
    datetime: _moment,
    date: _day,
    time: _clock,
    timedelta: _duration,
    bytes: _bytes,
    bytearray: _bytes,
    memoryview: _bytes,
    list: _array,
    tuple: _array,
    dict: _object,
}
