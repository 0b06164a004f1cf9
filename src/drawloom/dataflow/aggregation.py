"""Rows, that is lists of objects: group and count them, join them, put them together.

A field is named by its key or, where there is no such key, by a dotted path
(`customer.country`). Results stand in the order in which their first row was
seen. Nothing is guessed: a field that is absent, null where a number is wanted,
or text where a number is wanted is an error that names the row, unless the
caller says `missing="skip"` (which never skips text).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from drawloom.dataflow.values import UNDEFINED, encode_value, pointer
from drawloom.errors import ValueInvalid

Row: TypeAlias = dict[str, Any]
Missing: TypeAlias = Literal["error", "skip"]
Operation: TypeAlias = Literal[
    "sum", "min", "max", "avg", "count", "count_distinct", "first", "last", "list"
]
#: `"count"` counts the rows; `{"sum": "amount"}` works on a field.
Measure: TypeAlias = Literal["count"] | Mapping[str, str]


def field_of(row: Any, path: str) -> Any:
    """The field *path* of *row*, or `UNDEFINED`: by its whole name first, then by its dots."""
    if type(row) is not dict:
        return UNDEFINED
    if path in row:
        return row[path]
    for name in path.split("."):
        if type(row) is not dict or name not in row:
            return UNDEFINED
        row = row[name]
    return row


def identity_of(value: Any) -> Any:
    """What makes two values the same: as JSON does, 1 is 1.0, and true is not 1."""
    if type(value) is bool:
        return ("bool", value)
    if type(value) is list:
        return ("list", *map(identity_of, value))
    if type(value) is dict:
        return ("dict", frozenset((name, identity_of(inner)) for name, inner in value.items()))
    return value


def aggregate(
    rows: Sequence[Row],
    by: Sequence[str] | Mapping[str, str],
    values: Mapping[str, Measure],
    missing: Missing = "error",
) -> list[Row]:
    """One row per group: the fields of *by*, then each of *values* under its name.

    *by* lists fields (the last part of a dotted path is the name), or maps
    names to fields; with none there is one group of all rows, an empty one too.
    Integers are summed exactly, floats with one rounding; sum of nothing is 0,
    min, max, avg, first and last of nothing are null. `{"count": field}` counts
    the rows that have the field, not null. null is a group, and a value for
    `count_distinct`, `first`, `last` and `list`. Raises `ValueInvalid` with the
    JSON Pointer of the row.
    """
    names = _names(by)
    measures = {name: _measure(name, each) for name, each in values.items()}
    if clash := names.keys() & measures.keys():
        raise ValueInvalid(f"{min(clash)!r} is both a group and a value; rename one of them")
    groups: dict[Any, _Group] = {} if names else {(): _Group({}, [])}
    for index, row in enumerate(rows):
        _checked_row(row, index)
        found = _group_key(row, index, names, missing)
        if found is not None:
            key, shown = found
            groups.setdefault(key, _Group(shown, [])).members.append((index, row))
    return [_summed(group, measures, missing) for group in groups.values()]


@dataclass(frozen=True, slots=True)
class _Group:
    shown: Row
    members: list[tuple[int, Row]]


def _names(by: Sequence[str] | Mapping[str, str]) -> dict[str, str]:
    if isinstance(by, Mapping):
        return dict(by)
    names: dict[str, str] = {}
    for path in by:
        name = path.rpartition(".")[2]
        if name in names:
            raise ValueInvalid(f"two groups are called {name!r}; name them: {{a: {path}}}")
        names[name] = path
    return names


def _measure(name: str, given: Measure) -> tuple[str, str]:
    """Operation and field; the field is "" where rows are counted."""
    if given == "count":
        return ("count", "")
    if isinstance(given, Mapping) and len(given) == 1:
        [(operation, path)] = given.items()
        if operation in _FOLDS and isinstance(path, str):
            return (operation, path)
    known = ", ".join(sorted(_FOLDS))
    raise ValueInvalid(
        f'a value is "count" or {{operation: field}}, the operation one of {known}',
        pointer([name]),
    )


def _checked_row(row: Any, index: int) -> None:
    if type(row) is not dict:
        raise ValueInvalid("a row must be an object", pointer([index]))


def _group_key(
    row: Row, index: int, names: Mapping[str, str], missing: Missing
) -> tuple[Any, Row] | None:
    shown: Row = {}
    for name, path in names.items():
        found = field_of(row, path)
        if found is UNDEFINED:
            if missing == "skip":
                return None
            raise _absent(index, path)
        shown[name] = found
    return tuple(map(identity_of, shown.values())), shown


def _absent(index: int, path: str) -> ValueInvalid:
    return ValueInvalid(
        f'the row has no field {path!r}; mend the name, or say missing: "skip"', pointer([index])
    )


def _summed(group: _Group, measures: Mapping[str, tuple[str, str]], missing: Missing) -> Row:
    made = dict(group.shown)
    for name, (operation, path) in measures.items():
        if path:
            made[name] = _FOLDS[operation](_present(group, operation, path, missing))
        else:
            made[name] = len(group.members)
    return encode_value(made)  # type: ignore[no-any-return]


def _present(group: _Group, operation: str, path: str, missing: Missing) -> list[Any]:
    """The values of one field, checked for the operation."""
    found = []
    for index, row in group.members:
        value = field_of(row, path)
        if value is UNDEFINED and operation != "count" and missing == "error":
            raise _absent(index, path)
        if value is UNDEFINED:
            continue
        if operation in _ON_NUMBERS and not _is_number(value, index, path, missing):
            continue
        found.append(value)
    return found


def _is_number(value: Any, index: int, path: str, missing: Missing) -> bool:
    if type(value) is int or type(value) is float:
        return True
    if value is None and missing == "skip":
        return False
    hint = 'say missing: "skip"' if value is None else "convert it first, as with $number(…)"
    what = "null" if value is None else f"a {type(value).__name__}"
    raise ValueInvalid(f"{path!r} must be a number and is {what}; {hint}", pointer([index, path]))


def _sum(numbers: Sequence[int | float]) -> int | float:
    whole = sum(each for each in numbers if type(each) is int)
    floats = [each for each in numbers if type(each) is float]
    if not floats:
        return whole
    # fsum rounds once, at the end; an integer beyond a double goes in as two of them.
    high = float(whole)
    try:
        total = math.fsum([*floats, high, float(whole - int(high))])
    except OverflowError:
        total = math.inf
    if math.isinf(total):
        raise ValueInvalid("the sum is beyond what a number holds")
    return total


def _avg(numbers: Sequence[int | float]) -> float | None:
    return _sum(numbers) / len(numbers) if numbers else None


def _count(values: Sequence[Any]) -> int:
    return sum(value is not None for value in values)


_FOLDS: Final[Mapping[str, Callable[[list[Any]], Any]]] = {
    "sum": _sum,
    "min": lambda numbers: min(numbers, default=None),
    "max": lambda numbers: max(numbers, default=None),
    "avg": _avg,
    "count": _count,
    "count_distinct": lambda values: len(set(map(identity_of, values))),
    "first": lambda values: values[0] if values else None,
    "last": lambda values: values[-1] if values else None,
    "list": lambda values: values,
}
_ON_NUMBERS: Final = frozenset({"sum", "min", "max", "avg"})
