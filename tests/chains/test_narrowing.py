"""A tool tells the type of its output by what is written in the step, and by what is known of its service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from drawloom.chains.check import check_text
from drawloom.chains.impact import changed_tool, impact_of, with_schemas, without
from drawloom.chains.loading import load
from drawloom.sdk import Chunk, Connector, Json, TypedDict, invalid
from drawloom.sdk.connection import Connection
from drawloom.sdk.narrowing import is_written

shop = Connector("shop", Connection)


class Found(TypedDict):
    """Rows, or the number of them."""

    found: list[Json] | int
    also: str


@shop.tool(effect="read")
async def find(client: Any, what: str, count: bool = False) -> Found:
    """Find things."""
    raise AssertionError("nothing runs in a check")


@find.narrow
def _(given: Mapping[str, Any], described: Any) -> dict[str, Any]:
    if not is_written(given.get("count", False)):
        return {}
    if described is not None and is_written(given["what"]) and given["what"] not in described:
        raise invalid(f"the shop has no {given['what']!r}", path="/what")
    fields = (described or {}).get(given["what"])
    item = {"type": "object"}
    if fields is not None:
        item |= {"properties": {name: {} for name in fields}, "additionalProperties": False}
    found = {"type": "array", "items": item}
    return {"found": {"type": "integer"} if given.get("count") else found, "no_field": {}}


@shop.tool(effect="read")
async def names(client: Any, rows: list[Json]) -> list[str]:
    """Take a list."""
    raise AssertionError("nothing runs in a check")


@shop.tool(effect="read")
async def watch(client: Any, fields: list[str]) -> AsyncIterator[Chunk[dict[str, Json]]]:
    """Watch things."""
    raise AssertionError("nothing runs in a check")
    yield


@watch.narrow
def _(given: Mapping[str, Any], described: Any) -> dict[str, Any]:
    if lost := [name for name in given["fields"] if name not in (described or given["fields"])]:
        raise invalid(f"the shop has no {lost[0]!r}", path="/fields")
    fields = {name: {"type": "array"} for name in given["fields"]}
    return {"item": {"type": "object", "properties": fields, "additionalProperties": False}}


class Tools:
    def find(self, name: str) -> Any:
        return shop.tools[name]


CHAIN = """
chain: c
input: {counted: {type: boolean, default: true}}
connections: {s: shop}
steps:
  find: {use: shop.find, on: s, with: {what: WHAT, count: COUNT}}
  names: {use: shop.names, on: s, with: {rows: "${steps.find.found}"}}
output: "${steps.find.found[0].name}"
"""


def codes(count: str = "false", what: str = "hats", **described: Any) -> list[tuple[str, str]]:
    text = CHAIN.replace("COUNT", count).replace("WHAT", what)
    found = check_text(text, Tools(), described=described)
    return [(one.code, one.pointer) for one in found if one.severity == "error"]


def test_what_is_written_decides() -> None:
    assert codes("false") == []
    assert ("does-not-fit", "/steps/names/with/rows") in codes("true")


def test_what_is_only_known_in_a_run_decides_nothing() -> None:
    assert codes('"${input.counted}"') == [("does-not-fit", "/steps/names/with/rows")]


def test_what_is_known_of_the_service_is_checked() -> None:
    assert codes(s={"hats": ["name"]}) == []
    assert codes(s={"hats": ["size"]}) == [("unknown-output-field", "/output")]
    assert codes(shop={"hats": ["size"]}) == [("unknown-output-field", "/output")]
    slot_first = {"s": {"hats": ["name"]}, "shop": {"hats": ["size"]}}
    assert codes(**slot_first) == []
    assert codes(other={"hats": ["size"]}) == []


def test_what_the_service_does_not_have_is_a_finding_at_its_place() -> None:
    assert codes(what="hat", s={"hats": ["name"]}) == [
        ("not-in-catalogue", "/steps/find/with/what")
    ]


def test_a_change_elsewhere_in_the_output_breaks_nothing() -> None:
    chain = load(CHAIN.replace("COUNT", "false").replace("WHAT", "hats"))
    also = changed_tool(shop.tools["shop.find"], [without("output", "also")])
    assert impact_of(chain, Tools(), also) == ()
    found = changed_tool(shop.tools["shop.find"], [without("output", "found")])
    assert {one.step for one in impact_of(chain, Tools(), found)} == {"names", None}


STREAM = """
chain: c
connections: {s: shop}
steps:
  watch: {use: shop.watch, on: s, with: {fields: [hats]}}
  names: {use: shop.names, on: s, for_each: "${steps.watch}", with: {rows: "${item.FIELD}"}}
output: "${steps.names}"
"""


def test_the_items_of_a_stream_are_narrowed_too() -> None:
    def found(field: str, **described: Any) -> list[tuple[str, str]]:
        every = check_text(STREAM.replace("FIELD", field), Tools(), described=described)
        return [(one.code, one.pointer) for one in every if one.severity == "error"]

    assert found("hats[0]") == found("hats") == []
    assert found("caps") == [("unknown-property", "/steps/names/with/rows")]
    assert found("hats", s=["caps"]) == [("not-in-catalogue", "/steps/watch/with/fields")]


def test_a_change_of_the_items_outdates_what_was_told_of_them() -> None:
    chain = load(STREAM.replace("FIELD", "hats"))
    tool = shop.tools["shop.watch"]
    assert impact_of(chain, Tools(), changed_tool(tool, [])) == ()
    items = {"type": "object", "properties": {}, "additionalProperties": False}
    changed = changed_tool(tool, [with_schemas({"output": items})])
    assert [one.step for one in impact_of(chain, Tools(), changed)] == ["names"]
