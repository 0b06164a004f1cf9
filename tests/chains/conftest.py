"""Real tools for the checks: their schemas come from their signatures, as in a connector."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Literal, NotRequired

import pytest
from typing_extensions import TypedDict

from drawloom.sdk import Connection, Connector, Json, Row, Tool


class Settings(Connection):
    """A server that no test opens."""


class Order(TypedDict):
    id: int
    email: str | None
    status: Literal["open", "closed"]
    total: float
    note: NotRequired[str]


class Orders(TypedDict):
    rows: list[Order]
    count: int
    newest: Order | None


class Rows(TypedDict):
    rows: list[Row]


class Value(TypedDict):
    value: Json


shop = Connector("shop", Settings)
mail = Connector("mail", Settings)
core = Connector("core")


@shop.tool(effect="read")
async def orders(client: Any, days: int, status: Literal["open", "closed"] = "open") -> Orders:
    """The orders of the last days."""
    raise NotImplementedError


@shop.tool(effect="read")
async def query(client: Any, sql: str, args: list[Json] | None = None) -> Rows:
    """Rows of any shape."""
    raise NotImplementedError


@mail.tool(effect="once")
async def send(
    client: Any, to: str, subject: str, copies: int = 1, cc: list[str] | None = None
) -> str:
    """Send a message; gives its id."""
    raise NotImplementedError


@core.tool(effect="pure")
def transform(value: Json) -> Value:
    """Give the value back."""
    return {"value": value}


@core.tool(effect="pure")
def add(numbers: list[int], label: str = "") -> int:
    """The sum."""
    return sum(numbers)


@core.tool(effect="once")
def remind(at: datetime | None, text: str) -> None:
    """Remind somebody."""


class Shelf:
    """The tools of this module, found by name."""

    def __init__(self) -> None:
        self._tools = {n: t for c in (shop, mail, core) for n, t in c.tools.items()}

    def find(self, name: str) -> Tool:
        if name not in self._tools:
            missing = KeyError(name)
            missing.suggestions = tuple(get_close_matches(name, self._tools, 1))  # type: ignore[attr-defined]
            raise missing
        return self._tools[name]


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    yield Shelf()
