"""Filters: MongoDB's own language, without the forms in which data could become an operator.

A condition always names its operator: `{"name": {"$eq": value}}`, never
`{"name": value}`. What stands under an operator is data, in which a name that
begins with `$` is a typed value or an error. So a value that comes from outside
and is `{"$gt": ""}` is refused, whoever wrote the filter; and a filter in which a
value could take the place of the operators fails with every honest value, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from drawloom.connectors.databases.mongodb.values import is_typed, to_bson
from drawloom.errors import invalid

_DEEPEST = 50


@dataclass(frozen=True, slots=True)
class Language:
    """What may stand in a filter. `expression` reads what `$expr` holds; `javascript` allows it."""

    javascript: bool = False
    expression: Callable[[Any, str], Any] | None = None


def filter_of(given: Any, language: Language, where: str = "filter", depth: int = 0) -> Any:
    """A filter as the driver takes it. Raises `ToolError` (invalid) naming the place."""
    if not isinstance(given, dict) or depth > _DEEPEST:
        raise invalid(f"{where}: a filter is an object, at most {_DEEPEST} deep")
    found = {}
    for name, condition in given.items():
        place = f"{where}.{name}"
        if name[:1] == "$":
            found[name] = _logical(name, condition, language, place, depth)
        else:
            found[field_name(name, where)] = operators(condition, language, place, depth)
    return found


def field_name(name: Any, where: str) -> str:
    """A field or a path to one, in which `$` may only stand for a place in an array."""
    if not isinstance(name, str) or not name or name[:1] == "$" or "\0" in name:
        raise invalid(f"{where}: {name!r:.80} is no name of a field")
    if any(part[:1] == "$" and not _is_place(part) for part in name.split(".")):
        raise invalid(f"{where}: {name!r:.80} has a part that is no name of a field")
    return name


def _is_place(part: str) -> bool:
    """`$`, `$[]` and `$[name]`: the places of an array in an update, or of a reference ($id)."""
    return part in ("$", "$id", "$ref", "$db") or (part.startswith("$[") and part.endswith("]"))


def operators(given: Any, language: Language, where: str, depth: int) -> dict[str, Any]:
    """The conditions of one field: operators, and data under them."""
    if not isinstance(given, dict) or not given or is_typed(given):
        raise invalid(f'{where}: name the operator, such as {{"$eq": …}}; a bare value is refused')
    found = {}
    for name, operand in given.items():
        read = _OPERATORS.get(name)
        if read is None:
            raise invalid(f"{where}: {name!r:.80} is no operator of a field that is known here")
        found[name] = read(operand, language, f"{where}.{name}", depth + 1)
    return found


def _logical(name: str, given: Any, language: Language, where: str, depth: int) -> Any:
    if name in ("$and", "$or", "$nor"):
        if not isinstance(given, list) or not given:
            raise invalid(f"{where}: it takes a list of filters")
        return [
            filter_of(one, language, f"{where}[{n}]", depth + 1) for n, one in enumerate(given)
        ]
    if name == "$expr" and language.expression is not None:
        return language.expression(given, where)
    if name == "$text":
        return _text_search(given, where)
    if name == "$where":
        return _javascript(given, language, where)
    if name == "$comment" and isinstance(given, str):
        return given
    raise invalid(f"{where}: {name!r:.80} is no operator of a filter that is known here")


def _javascript(given: Any, language: Language, where: str) -> Any:
    if not language.javascript:
        raise invalid(f"{where}: JavaScript is refused unless the connection has allow_javascript")
    if not isinstance(given, str):
        raise invalid(f"{where}: it takes a text")
    return given


def _text_search(given: Any, where: str) -> dict[str, Any]:
    kinds = {
        "$search": str,
        "$language": str,
        "$caseSensitive": bool,
        "$diacriticSensitive": bool,
    }
    if not isinstance(given, dict) or "$search" not in given:
        raise invalid(f"{where}: it takes an object with $search")
    for name, value in given.items():
        if type(value) is not kinds.get(name):
            raise invalid(f"{where}: {name!r:.80} is unknown, or not of its type")
    return given


def _data(given: Any, language: Language, where: str, depth: int) -> Any:
    found = to_bson(given, where)
    if type(found).__name__ == "Regex":
        raise invalid(f"{where}: a regular expression is given to $regex")
    return found


def _list(given: Any, language: Language, where: str, depth: int) -> list[Any]:
    if not isinstance(given, list):
        raise invalid(f"{where}: it takes a list")
    # In a list a regular expression would match as one: so data could say what is found.
    return [_data(one, language, f"{where}[{n}]", depth) for n, one in enumerate(given)]


def _not(given: Any, language: Language, where: str, depth: int) -> dict[str, Any]:
    if depth > _DEEPEST:
        raise invalid(f"{where}: a filter is at most {_DEEPEST} deep")
    return operators(given, language, where, depth)


def _elements(given: Any, language: Language, where: str, depth: int) -> Any:
    """Conditions of the elements: operators where they are values, a filter where documents."""
    if isinstance(given, dict) and given and all(name in _OPERATORS for name in given):
        return _not(given, language, where, depth)
    return filter_of(given, language, where, depth + 1)


def _plain(*kinds: type) -> Callable[[Any, Language, str, int], Any]:
    """An operand of one of these types, as it is."""

    def read(given: Any, language: Language, where: str, depth: int) -> Any:
        if type(given) not in kinds:
            raise invalid(f"{where}: it takes {' or '.join(kind.__name__ for kind in kinds)}")
        return given

    return read


def _types(given: Any, language: Language, where: str, depth: int) -> Any:
    named = given if isinstance(given, list) else [given]
    if not all(type(one) in (str, int) for one in named):
        raise invalid(f"{where}: it takes names or numbers of types")
    return given


def _remainder(given: Any, language: Language, where: str, depth: int) -> Any:
    if not isinstance(given, list) or [type(one) for one in given] != [int, int]:
        raise invalid(f"{where}: it takes a divisor and a remainder")
    return given


def _shape(given: Any, language: Language, where: str, depth: int) -> Any:
    """Geometry: GeoJSON, and what says how near, none of it with an operator in it."""
    if not isinstance(given, dict):
        raise invalid(f"{where}: it takes an object")
    return {
        name: inner if name in _DISTANCES and type(inner) in (int, float) else _place(inner, where)
        for name, inner in given.items()
        if _known_shape(name, where)
    }


_DISTANCES = ("$maxDistance", "$minDistance")
_SHAPES = ("$geometry", "$box", "$polygon", "$center", "$centerSphere", *_DISTANCES)


def _known_shape(name: str, where: str) -> bool:
    if name not in _SHAPES:
        raise invalid(f"{where}: {name!r:.80} is unknown; it takes {', '.join(_SHAPES)}")
    return True


def _place(given: Any, where: str) -> Any:
    return to_bson(given, where)


_OPERATORS: dict[str, Callable[[Any, Language, str, int], Any]] = {
    **dict.fromkeys(("$eq", "$ne", "$gt", "$gte", "$lt", "$lte"), _data),
    # Of $all, too, the members are data: conditions of elements are joined by $and.
    **dict.fromkeys(("$in", "$nin", "$all"), _list),
    "$not": _not,
    "$elemMatch": _elements,
    "$exists": _plain(bool),
    "$size": _plain(int),
    "$type": _types,
    "$mod": _remainder,
    "$regex": _plain(str),
    "$options": _plain(str),
    **dict.fromkeys(("$bitsAllSet", "$bitsAnySet", "$bitsAllClear", "$bitsAnyClear"), _data),
    **dict.fromkeys(("$geoWithin", "$geoIntersects", "$near", "$nearSphere"), _shape),
}
