"""Lists in pages: a cursor says where the next one begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from drawloom.errors import AccessRefused, FailureKind

T = TypeVar("T")

LARGEST: Final = 200
_NEWEST: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items, and the *cursor* of what follows them; None at the end."""

    items: Sequence[T]
    cursor: str | None = None

    @classmethod
    def of(cls, found: Sequence[T], limit: int, place: Callable[[T], str]) -> Page[T]:
        """The first *limit* of what was found, one more than that where there is more."""
        if len(found) <= limit:
            return cls(found)
        return cls(found[:limit], place(found[limit - 1]))


def bounded(limit: int) -> int:
    """The limit. Raises `AccessRefused` (invalid) where it is not 1 to 200."""
    if not 1 <= limit <= LARGEST:
        raise AccessRefused(
            FailureKind.INVALID, "limit-unfit", f"a page has 1 to {LARGEST} items, not {limit}"
        )
    return limit


def cursor_number(cursor: str | None) -> int:
    """The number that a cursor stands for. Raises `AccessRefused` (invalid)."""
    if cursor is None:
        return _NEWEST
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise AccessRefused(
            FailureKind.INVALID, "cursor-unfit", "this cursor was not given by this list"
        )
    return int(cursor)
