"""Lists that come in pages, collected into one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeAlias

from pydantic import Field
from typing_extensions import TypedDict

from drawloom.connectors.web.http.answers import json_body
from drawloom.connectors.web.http.bodies import Fields, pairs
from drawloom.connectors.web.http.connection import connector
from drawloom.connectors.web.http.pointers import ABSENT, at_pointer
from drawloom.connectors.web.http.statuses import refuse
from drawloom.connectors.web.http.steps import BodyLink, Cursor, HeaderLink, Numbered, Step
from drawloom.connectors.web.http.tools import Headers, Path, Query
from drawloom.sdk import Json, invalid
from drawloom.sdk.doors import Answer, HttpClient

By: TypeAlias = Literal["link", "next", "cursor", "page", "offset"]
Pointer: TypeAlias = Annotated[str, Field(pattern="^(/.*)?$")]


class Pages(TypedDict):
    """The items of all pages that were read. `truncated` is true where the limit left some."""

    items: list[Json]
    count: int
    pages: int
    truncated: bool


@connector.tool(effect="read")
async def pages(
    client: HttpClient,
    path: Path = "",
    items: Annotated[
        Pointer, Field(description="Where the items are; '' is the whole body.")
    ] = "",
    by: By = "link",
    at: Annotated[Pointer, Field(description="Where the cursor or link is.")] = "/next",
    parameter: Annotated[
        str | None, Field(description="Takes the cursor, page or offset; else named as `by`.")
    ] = None,
    start: Annotated[
        int | None, Field(ge=0, description="Of the first page (1) or offset (0).")
    ] = None,
    size: Annotated[
        int | None, Field(ge=1, description="A page of fewer items is the last.")
    ] = None,
    query: Query | None = None,
    headers: Headers | None = None,
    limit: Annotated[int, Field(ge=1, le=100_000, description="Pages read at most.")] = 100,
) -> Pages:
    """Get a list that comes in pages, and collect its items.

    *by* says how the next page is found: `link` (a Link header with rel=next,
    RFC 8288), `next` (a URL in the body, at the JSON Pointer *at*), `cursor`
    (a value at *at*, given back as the query parameter *parameter*), `page` (a
    number counting from 1) or `offset` (of items). A link that leaves the
    origin is refused, and pages that lead in a circle are an error. All pages
    together are bounded by the connection's max_bytes.
    """
    walk = _Walk(client, path, query or {})
    step = _step(by, at, parameter or by, start, size)
    return await _collect(walk, step, items, list((headers or {}).items()), limit)


async def _collect(
    walk: _Walk, step: Step, items: str, headers: list[tuple[str, str]], limit: int
) -> Pages:
    target: str | None = walk.aim(step.first())
    while target is not None and walk.pages < limit:
        answer = await walk.client.send("GET", target, headers=headers)
        refuse(walk.client, answer, ())
        value = await json_body(answer)
        got = walk.take(answer, value, items)
        target = walk.next_target(target, step.after(answer, value, got))
    count = len(walk.items)
    return {
        "items": walk.items,
        "count": count,
        "pages": walk.pages,
        "truncated": target is not None,
    }


def _step(by: By, at: str, parameter: str, start: int | None, size: int | None) -> Step:
    match by:
        case "link":
            return HeaderLink()
        case "next":
            return BodyLink(at)
        case "cursor":
            return Cursor(at, parameter)
        case "page":
            return Numbered(parameter, 1 if start is None else start, size, by_items=False)
        case "offset":
            return Numbered(parameter, start or 0, size, by_items=True)


@dataclass(slots=True)
class _Walk:
    """What one reading of a list has seen so far."""

    client: HttpClient
    path: str
    query: Fields
    items: list[Json] = field(default_factory=list)
    pages: int = 0
    bytes: int = 0
    seen: set[str] = field(default_factory=set)
    last: list[Json] = field(default_factory=list)

    def aim(self, change: Fields) -> str:
        """The target with the author's query, changed."""
        return self.client.base.target(self.path, pairs({**self.query, **change}, "query"))

    def next_target(self, target: str, step: str | Fields | None) -> str | None:
        """Where the next page is. Raises `ToolError` where it was read before."""
        self.seen.add(target)
        if step is None:
            return None
        found = self.client.follow(step, target) if isinstance(step, str) else self.aim(step)
        if found in self.seen:
            raise invalid(
                f"page {self.pages} leads back to {found[:200]!r}, which was read before: "
                "the pages go in a circle"
            )
        return found

    def take(self, answer: Answer, value: Json, pointer: str) -> int:
        """Collect the items of one page; how many there were."""
        self.pages += 1
        self.bytes += len(answer.body)
        if self.bytes > self.client.limits.max_bytes:
            raise invalid(
                f"{self.pages} pages are {self.bytes} bytes, over the connection's max_bytes "
                f"({self.client.limits.max_bytes}); ask for less, or give a lower `limit`"
            )
        found = at_pointer(value, pointer)
        if found is ABSENT or not isinstance(found, list):
            raise invalid(f"page {self.pages}: there is no list at {pointer!r}; see `items`")
        self._never_the_same(found)
        self.items += found
        return len(found)

    def _never_the_same(self, found: list[Json]) -> None:
        # Records repeat only where a service does not know the parameter.
        if found == self.last and any(isinstance(item, dict) for item in found):
            raise invalid(
                f"page {self.pages} is the page before once more: "
                "does the service know the `parameter`?"
            )
        self.last = found
