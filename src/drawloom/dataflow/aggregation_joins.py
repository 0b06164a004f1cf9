"""Two lists of rows, or several, made one: join, merge, concat, zip."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

from drawloom.dataflow.aggregation import Row, field_of, identity_of
from drawloom.dataflow.values import UNDEFINED, pointer
from drawloom.errors import ValueInvalid

How: TypeAlias = Literal["inner", "left", "full"]
#: A field of both, several of them, or left field to right field.
On: TypeAlias = str | Sequence[str] | Mapping[str, str]

MOST_ROWS: Final = 1_000_000


def join(
    left: Sequence[Row], right: Sequence[Row], on: On, how: How = "inner", suffix: str = ""
) -> list[Row]:
    """The rows of *left* with the fields of the *right* rows of the same key.

    As in SQL: each pair that matches gives a row, null matches nothing, and
    `left` and `full` keep rows without a match, with null for the other side's
    fields. Left order first, then right order; for `full` the unmatched right
    rows stand at the end. A field of both that is no key is an error, unless
    *suffix* renames the right one. Raises `ValueInvalid` with the JSON Pointer
    of a row without the key (`/left/3`), and above a million rows.
    """
    keys = _keys(on)
    sides = _Sides(left, right, keys, suffix)
    made: list[Row] = []
    for row in _joined(sides, how):
        if len(made) == MOST_ROWS:
            raise ValueInvalid(f"the join gives more than {MOST_ROWS} rows; narrow its key")
        made.append(row)
    return made


def _keys(on: On) -> dict[str, str]:
    if isinstance(on, str):
        on = [on]
    keys = dict(on) if isinstance(on, Mapping) else {name: name for name in on}
    if not keys:
        raise ValueInvalid("a join needs at least one field to join on")
    return keys


class _Sides:
    """The right rows by key, and how their fields are called in the result."""

    def __init__(
        self, left: Sequence[Row], right: Sequence[Row], keys: dict[str, str], suffix: str
    ) -> None:
        self.left = [(_key(row, keys, f"/left/{i}"), row) for i, row in enumerate(left)]
        self.right = [
            (_key(row, keys.values(), f"/right/{i}"), row) for i, row in enumerate(right)
        ]
        self.keys = keys
        self.left_names = _names(left)
        right_names = _names(right)
        self.shared = {ours for ours, theirs in keys.items() if ours == theirs in right_names}
        self.renamed = {name: name for name in right_names if name not in self.shared}
        for name in self.renamed.keys() & self.left_names.keys():
            self.renamed[name] = _suffixed(name, suffix, self.left_names, self.renamed)
        self.by_key: dict[Any, list[int]] = {}
        for index, (key, _) in enumerate(self.right):
            if key is not None:
                self.by_key.setdefault(key, []).append(index)

    def pair(self, left: Row, right: Row) -> Row:
        """One row of both; a field that only other rows have is null."""
        ours = {name: left.get(name) for name in self.left_names}
        return ours | {shown: right.get(name) for name, shown in self.renamed.items()}

    def alone(self, right: Row) -> Row:
        """A right row without a match, with its key under the left names."""
        made = self.pair({}, right)
        for ours, theirs in self.keys.items():
            if ours in self.left_names or ours in self.shared:
                made[ours] = field_of(right, theirs)
        return made


def _names(rows: Iterable[Row]) -> dict[str, None]:
    return {name: None for row in rows for name in row}


def _suffixed(name: str, suffix: str, *taken: Mapping[str, Any]) -> str:
    made = f"{name}{suffix}"
    if any(made in names for names in taken):
        raise ValueInvalid(
            f"both sides have a field {name!r}; give a suffix that makes the right one new"
        )
    return made


def _key(row: Any, fields: Iterable[str], where: str) -> tuple[Any, ...] | None:
    """None where a part of it is null, which matches nothing."""
    if type(row) is not dict:
        raise ValueInvalid("a row must be an object", where)
    parts = []
    for name in fields:
        found = field_of(row, name)
        if found is UNDEFINED:
            raise ValueInvalid(f"the row has no field {name!r} to join on", where)
        parts.append(found)
    return None if None in parts else tuple(map(identity_of, parts))


def _joined(sides: _Sides, how: How) -> Iterator[Row]:
    met: set[int] = set()
    for key, row in sides.left:
        matches = sides.by_key.get(key, ()) if key is not None else ()
        for index in matches:
            yield sides.pair(row, sides.right[index][1])
        met.update(matches)
        if not matches and how != "inner":
            yield sides.pair(row, {})
    if how == "full":
        for index, (_, row) in enumerate(sides.right):
            if index not in met:
                yield sides.alone(row)


def merge(lists: Sequence[Sequence[Row]], on: str | Sequence[str]) -> list[Row]:
    """One row per key, with the fields of all its rows; of two values the later one stays.

    Raises `ValueInvalid` with the JSON Pointer of a row without the key.
    """
    keys = [on] if isinstance(on, str) else list(on)
    merged: dict[Any, Row] = {}
    for number, rows in enumerate(lists):
        for index, row in enumerate(rows):
            where = pointer([number, index])
            key = _key(row, keys, where)
            if key is None:
                raise ValueInvalid("the key of the row is null, so it belongs to no other", where)
            merged[key] = {**merged.get(key, {}), **row}
    return list(merged.values())


def concat(lists: Sequence[Sequence[Any]]) -> list[Any]:
    """The items of all lists, one list after the other."""
    return [item for items in lists for item in items]


def zip_rows(lists: Mapping[str, Sequence[Any]]) -> list[Row]:
    """One row per position: each list's item under the list's name.

    Raises `ValueInvalid` where the lists differ in length.
    """
    lengths = {name: len(items) for name, items in lists.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise ValueInvalid(f"the lists differ in length: {told}")
    return [
        dict(zip(lists, together, strict=True)) for together in zip(*lists.values(), strict=True)
    ]
