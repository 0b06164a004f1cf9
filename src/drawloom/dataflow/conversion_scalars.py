"""Conversion of one value to one of the types of JSON Schema; `conversion` has the table."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, TypeAlias

from drawloom.dataflow.validation import excerpt
from drawloom.dataflow.values import LARGEST_INTEGER, MOST_DIGITS, UNDEFINED
from drawloom.errors import ValueInvalid

# What unions made of which value in this one call: without it, a recursive
# union would try each of its branches again inside each branch.
Memo: TypeAlias = dict[tuple[int, int], tuple[Any, Any]]
Way: TypeAlias = Callable[[Any, Memo], Any]

_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]*")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")


def in_turn(stages: list[Way]) -> Way | None:
    """All *stages*, one after the other; None if there are none."""
    if len(stages) < 2:
        return stages[0] if stages else None

    def convert(value: Any, memo: Memo) -> Any:
        for stage in stages:
            value = stage(value, memo)
        return value

    return convert


def of_types(schema: Mapping[str, Any], wrap: bool) -> Way | None:
    """What the `type` of a schema makes of a value; None where it never changes one."""
    named = schema.get("type")
    types = frozenset([named] if isinstance(named, str) else (named or []))
    ways: list[Way] = []
    if "integer" in types and "number" not in types:
        ways.append(_to_integer)
    if "number" in types:
        ways.append(_to_number)
    if "string" in types:
        # Text may stay text; and only where nothing but text is wanted is a number refused.
        ways = [_to_text] if types <= {"string", "null"} else []
    if "array" in types and wrap:
        ways.append(_to_array(types))
    return in_turn(ways)


def _to_integer(value: Any, memo: Memo) -> Any:
    if type(value) is int:
        return value
    if type(value) is float:
        # Beyond 53 bits the double is not known to be that very integer.
        return int(value) if abs(value) <= LARGEST_INTEGER and value.is_integer() else value
    if type(value) is str and len(value) <= MOST_DIGITS and _INTEGER.fullmatch(value):
        return int(Decimal(value))  # int() alone has a limit that is the interpreter's setting
    return value


def _to_number(value: Any, memo: Memo) -> Any:
    if type(value) is not str or len(value) > MOST_DIGITS or not _NUMBER.fullmatch(value):
        return value
    if _INTEGER.fullmatch(value):
        return int(Decimal(value))
    made = float(value)
    # The double stands for the shortest decimal that reads back as it.
    if Decimal(repr(made)) != Decimal(value):
        raise ValueInvalid(
            f"{excerpt(value, 60)} has more digits than a number holds; keep it as text, "
            "or round it first"
        )
    return made


def _to_text(value: Any, memo: Memo) -> Any:
    if type(value) in (bool, int, float):
        raise ValueInvalid(
            f"text is wanted here, and {excerpt(value, 60)} is none; to write it as text, "
            'put it inside text ("no. ${…}") or use $string(…)'
        )
    return value


_NAMES: Final[Mapping[str, tuple[type, ...]]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "object": (dict,),
    "array": (list,),
}


def _to_array(types: frozenset[Any]) -> Way:
    """[x] of x, and [] of nothing, unless x is of a type that is wanted as well."""
    kept = tuple(kind for name in types for kind in _NAMES.get(name, ()))

    def convert(value: Any, memo: Memo) -> Any:
        if value is UNDEFINED:
            return []
        return value if type(value) in kept else [value]

    return convert
