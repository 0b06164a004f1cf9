"""JSON Pointer (RFC 6901): the place of the items, and of the cursor."""

from __future__ import annotations

from typing import Any

from drawloom.sdk import Json, invalid

ABSENT: Any = object()


def at_pointer(value: Json, pointer: str) -> Json:
    """The value at *pointer*, or `ABSENT` where there is nothing."""
    for name in _names(pointer):
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and _is_index(name) and int(name) < len(value):
            value = value[int(name)]
        else:
            return ABSENT
    return value


def _names(pointer: str) -> list[str]:
    if pointer and not pointer.startswith("/"):
        raise invalid(
            f"{pointer!r} is not a JSON Pointer: write /field/inner, or '' for the whole"
        )
    return [n.replace("~1", "/").replace("~0", "~") for n in pointer.split("/")[1:]]


def _is_index(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) < 10 and str(int(name)) == name
