"""Edits of plain data by JSON Pointer (RFC 6901): find, change, and the smallest way to a change."""

from __future__ import annotations

import copy
from typing import Any, Final

from drawloom.chains.findings import escape

#: What is not there, or is to be removed.
GONE: Final[Any] = object()


def parts_of(pointer: str) -> list[str]:
    """The reference tokens of a pointer."""
    return [p.replace("~1", "/").replace("~0", "~") for p in pointer.split("/")[1:]]


def find(data: Any, pointer: str) -> Any:
    """The value at *pointer*, or `GONE`."""
    for part in parts_of(pointer):
        if isinstance(data, dict) and part in data:
            data = data[part]
        elif isinstance(data, list) and part.isdecimal() and int(part) < len(data):
            data = data[int(part)]
        else:
            return GONE
    return data


def edited(data: Any, pointer: str, value: Any, what: str) -> Any:
    """The data after the edit."""
    value = copy.deepcopy(value) if value is not GONE else value
    if not pointer:
        return value
    owner, part = find(data, pointer.rpartition("/")[0]), parts_of(pointer)[-1]
    if isinstance(owner, dict):
        if value is GONE:
            del owner[part]
        else:
            owner[part] = value
    elif what == "insert":
        owner.insert(int(part), value)
    elif value is GONE:
        del owner[int(part)]
    else:
        owner[int(part)] = value
    return data


def smallest_edits(pointer: str, old: Any, new: Any) -> list[tuple[str, Any]]:
    """The smallest edits that make *old* into *new*; removals from the end first."""
    if old is not GONE and same(old, new):
        return []
    if isinstance(old, dict) and isinstance(new, dict) and new and old:
        edits = [(f"{pointer}/{escape(name)}", GONE) for name in old if name not in new]
        for name, inner in new.items():
            edits += smallest_edits(f"{pointer}/{escape(name)}", old.get(name, GONE), inner)
        return sorted(edits, key=lambda edit: edit[1] is GONE)
    if isinstance(old, list) and isinstance(new, list) and new and old:
        edits = []
        for index, inner in enumerate(new):
            edits += smallest_edits(
                f"{pointer}/{index}", old[index] if index < len(old) else GONE, inner
            )
        gone = range(len(old) - 1, len(new) - 1, -1)
        return [*edits, *((f"{pointer}/{index}", GONE) for index in gone)]
    return [(pointer, new)]


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same types: 1 is neither true nor 1.0. Key order does not count."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)
