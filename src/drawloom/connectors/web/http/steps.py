"""The ways a service tells where its next page is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

from drawloom.connectors.web.http.bodies import Fields
from drawloom.connectors.web.http.links import next_link
from drawloom.connectors.web.http.pointers import ABSENT, at_pointer
from drawloom.sdk import Json, invalid
from drawloom.sdk.doors import Answer

# A link to follow, or query parameters to ask the same path with; None is the end.
Next: TypeAlias = str | Fields | None


class Step(Protocol):
    """How one kind of paging goes on."""

    def first(self) -> Fields:
        """The query parameters that the first page needs."""

    def after(self, answer: Answer, value: Json, got: int) -> Next:
        """What comes after a page with *got* items."""


@dataclass(frozen=True, slots=True)
class HeaderLink:
    """A Link header with `rel="next"` (RFC 8288)."""

    def first(self) -> Fields:
        return {}

    def after(self, answer: Answer, value: Json, got: int) -> Next:
        return next_link(v for name, v in answer.headers if name == "link")


@dataclass(frozen=True, slots=True)
class BodyLink:
    """A URL in the body."""

    pointer: str

    def first(self) -> Fields:
        return {}

    def after(self, answer: Answer, value: Json, got: int) -> Next:
        link = at_pointer(value, self.pointer)
        if link is ABSENT or link is None or link == "":
            return None
        if not isinstance(link, str):
            raise invalid(f"{self.pointer}: the next link is no text but {type(link).__name__}")
        return link


@dataclass(frozen=True, slots=True)
class Cursor:
    """A cursor in the body, given back as a query parameter."""

    pointer: str
    parameter: str

    def first(self) -> Fields:
        return {}

    def after(self, answer: Answer, value: Json, got: int) -> Next:
        cursor = at_pointer(value, self.pointer)
        if cursor is ABSENT or cursor is None or cursor == "" or cursor is False:
            return None
        if isinstance(cursor, bool) or not isinstance(cursor, str | int):
            raise invalid(f"{self.pointer}: the cursor is no text but {type(cursor).__name__}")
        return {self.parameter: cursor}


@dataclass(slots=True)
class Numbered:
    """A page number, or an offset that grows by the items there were.

    The last page is an empty one, or one of fewer than *size* items.
    """

    parameter: str
    number: int
    size: int | None
    by_items: bool

    def first(self) -> Fields:
        return {self.parameter: self.number}

    def after(self, answer: Answer, value: Json, got: int) -> Next:
        if got == 0 or (self.size is not None and got < self.size):
            return None
        self.number += got if self.by_items else 1
        return {self.parameter: self.number}
