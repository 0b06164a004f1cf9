"""Updates: MongoDB's own operators, with data under them that cannot become one.

What stands for a field in `$set` is data. `$push` and `$addToSet` name `$each`,
and `$pull` names its conditions: a bare value there could be either.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drawloom.connectors.databases.mongodb.filters import (
    Language,
    field_name,
    filter_of,
    operators,
)
from drawloom.connectors.databases.mongodb.pipelines import changing_pipeline
from drawloom.connectors.databases.mongodb.values import to_bson
from drawloom.errors import invalid

_NUMBERS = ("int", "float", "Int64", "Decimal128")
Read = Callable[[Any, Language, str], Any]


def update_of(given: Any, language: Language, args: dict[str, Any] | None = None) -> Any:
    """An update as the driver takes it: an object of operators, or a list of stages."""
    if isinstance(given, list) and given:
        return changing_pipeline(given, language, args or {})
    if not isinstance(given, dict) or not given:
        raise invalid('update: it names operators, such as {"$set": {…}}')
    found = {}
    for name, fields in given.items():
        read = _OPERATORS.get(name)
        if read is None or not isinstance(fields, dict):
            raise invalid(f"update: {name!r:.80} is no operator of an update, or has no object")
        found[name] = {
            field_name(field, f"update.{name}"): read(value, language, f"update.{name}.{field}")
            for field, value in fields.items()
        }
    return found


def _data(given: Any, language: Language, where: str) -> Any:
    return to_bson(given, where)


def _number(given: Any, language: Language, where: str) -> Any:
    found = to_bson(given, where)
    if type(found).__name__ not in _NUMBERS:
        raise invalid(f"{where}: it takes a number")
    return found


def _removed(given: Any, language: Language, where: str) -> Any:
    if given not in ("", 1, True, None):
        raise invalid(f'{where}: it takes ""')
    return ""


def _renamed(given: Any, language: Language, where: str) -> str:
    return field_name(given, where)


def _now(given: Any, language: Language, where: str) -> Any:
    if given is not True and given not in ({"$type": "date"}, {"$type": "timestamp"}):
        raise invalid(f'{where}: it takes true, {{"$type": "date"}} or {{"$type": "timestamp"}}')
    return given


def _end(given: Any, language: Language, where: str) -> int:
    if given not in (1, -1) or type(given) is not int:
        raise invalid(f"{where}: it takes 1 (the last) or -1 (the first)")
    return int(given)


def _listed(given: Any, language: Language, where: str) -> list[Any]:
    if not isinstance(given, list):
        raise invalid(f"{where}: it takes a list")
    found: list[Any] = to_bson(given, where)
    return found


def _pushed(given: Any, language: Language, where: str) -> dict[str, Any]:
    """What `$push` adds. `$sort` orders by a field of the elements, or by themselves."""
    found = _added(given, language, where, ("$each", "$position", "$slice", "$sort"))
    for name in ("$position", "$slice"):
        if name in given and type(given[name]) is not int:
            raise invalid(f"{where}.{name}: it takes a whole number")
    ways = given.get("$sort", 1)
    each = ways if isinstance(ways, dict) else {"_": ways}
    if not all(way in (1, -1) and field_name(name, where) for name, way in each.items()):
        raise invalid(f"{where}.$sort: it takes 1, -1, or an object of them by field")
    return {**given, **found}


def _added(
    given: Any, language: Language, where: str, known: tuple[str, ...] = ("$each",)
) -> dict[str, Any]:
    if not isinstance(given, dict) or "$each" not in given or not given.keys() <= set(known):
        raise invalid(f'{where}: write {{"$each": [value]}}; a bare value is refused')
    return {"$each": _listed(given["$each"], language, f"{where}.$each")}


def _pulled(given: Any, language: Language, where: str) -> Any:
    """Conditions of what goes: operators where elements are values, a filter where documents."""
    if isinstance(given, dict) and given and all(name[:1] == "$" for name in given):
        return operators(given, language, where, 0)
    return filter_of(given, language, where, 1)


def _bits(given: Any, language: Language, where: str) -> dict[str, int]:
    named = isinstance(given, dict) and given and given.keys() <= {"and", "or", "xor"}
    if not named or not all(type(value) is int for value in given.values()):
        raise invalid(f"{where}: it takes whole numbers for and, or, xor")
    found: dict[str, int] = given
    return found


_OPERATORS: dict[str, Read] = {
    **dict.fromkeys(("$set", "$setOnInsert", "$min", "$max"), _data),
    **dict.fromkeys(("$inc", "$mul"), _number),
    "$unset": _removed,
    "$rename": _renamed,
    "$currentDate": _now,
    "$push": _pushed,
    "$addToSet": _added,
    "$pop": _end,
    "$pull": _pulled,
    "$pullAll": _listed,
    "$bit": _bits,
}
