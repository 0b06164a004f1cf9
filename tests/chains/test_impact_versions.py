"""What breaks between two versions of all tools."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from typing_extensions import TypedDict

from drawloom.chains import load
from drawloom.chains.impact_versions import SavedTools, ToolChange, impact_between, saved
from drawloom.errors import ValueInvalid
from drawloom.runtime import Catalogue
from drawloom.sdk import tool


class Order(TypedDict):
    """An order."""

    id: int
    total: float


@tool(effect="read")
async def order(id: int, state: str = "open") -> Order:
    """One order."""
    return {"id": id, "total": 1.0}


@tool(effect="idempotent")
async def mark(id: int) -> int:
    """Mark an order."""
    return id


TOOLS = Catalogue([order, mark])
CHAIN = load(
    """\
chain: late
steps:
  got: {use: my.order, with: {id: 1}, cache: 5m}
  marked:
    use: my.mark
    with: {id: "${steps.got.id}"}
    compensate: {use: my.mark, with: {id: 0}}
  known: {use: core.enrich, with: {rows: [{id: 1}], key: id, into: order, lookup: {use: my.order, with: {id: "${item}"}}}}
output: {total: "${steps.got.total}"}
""",
    file="late.yaml",
)


def before(**changes: dict[str, Any]) -> SavedTools:
    """The tools as they were, some of them otherwise than they are; through JSON, as in a file."""
    written = copy.deepcopy(saved(TOOLS.tools()))
    for name, fields in changes.items():
        written["tools"].setdefault(f"my.{name}", {}).update(fields)
    return SavedTools(json.loads(json.dumps(written)))


def reached(was: SavedTools) -> list[tuple[str | None, str, str]]:
    found = impact_between(CHAIN, was, TOOLS)
    return [(one.step, one.certainty, one.finding.code if one.finding else "") for one in found]


def test_the_same_tools_break_nothing() -> None:
    assert reached(before()) == []
    assert before().changes(TOOLS.tools()) == ()


def test_all_that_changed_counts_at_once() -> None:
    """The order has lost a field that is read, and got another one that it needs."""
    properties = {
        "id": {"type": "integer"},
        "total": {"type": "number"},
        "more": {"type": "string"},
    }
    chain = load(
        "chain: a\nsteps:\n  got: {use: my.order, with: {id: 1, limit: 5}}\n"
        "  marked: {use: my.mark}\noutput: '${steps.got.more}'\n"
    )
    was = before(
        order={
            "input": {"type": "object", "properties": {"id": {}, "limit": {}}},
            "output": {"type": "object", "properties": properties},
        },
        mark={"input": {"type": "object"}},
    )
    found = impact_between(chain, was, TOOLS)
    assert [(one.step, one.certainty, one.finding and one.finding.code) for one in found] == [
        ("got", "breaks", "unknown-input"),
        ("marked", "breaks", "missing-input"),
        (None, "breaks", "unknown-output-field"),
    ]
    changes = was.changes(TOOLS.tools())
    assert changes == (
        ToolChange("my.mark", ("input",)),
        ToolChange("my.order", ("input", "output")),
    )


def test_a_tool_that_is_gone_breaks_its_steps() -> None:
    gone = {**saved([order])["tools"]["my.order"]}
    chain = load("chain: a\nsteps: {got: {use: my.gone, with: {id: 1}}}\n")
    was = before(gone=gone)
    found = impact_between(chain, was, TOOLS)
    assert [(one.step, one.certainty, one.message) for one in found] == [
        ("got", "breaks", "there is no tool 'my.gone'")
    ]
    assert was.changes(TOOLS.tools()) == (ToolChange("my.gone", ("gone",)),)


def test_a_cache_breaks_when_its_tool_no_longer_only_looks() -> None:
    """The chain keeps answers of `mark`, which was a tool that looks."""
    chain = load("chain: a\nsteps: {marked: {use: my.mark, with: {id: 1}, cache: 5m}}\n")
    found = impact_between(chain, before(mark={"effect": "read"}), TOOLS)
    assert [(one.certainty, one.finding and one.finding.code) for one in found] == [
        ("breaks", "cache-of-effect"),
        ("may", None),
    ]
    assert "my.mark was read, and is idempotent now" in found[1].message


@pytest.mark.parametrize(
    ("name", "effect", "steps"),
    [
        ("order", "pure", ["got", "known"]),
        ("mark", "read", ["marked", "marked"]),  # it undoes itself, too
        ("mark", "once", []),
        ("order", "read", []),
    ],
)
def test_an_effect_that_allows_less_is_told(name: str, effect: str, steps: list[str]) -> None:
    assert [step for step, *_ in reached(before(**{name: {"effect": effect}}))] == steps


def test_other_words_are_no_change() -> None:
    schema = copy.deepcopy(dict(order.input_schema))
    schema["description"] = "other words"
    schema["properties"]["id"] = {**schema["properties"]["id"], "title": "The id"}
    assert before(order={"input": schema}).changes(TOOLS.tools()) == ()
    schema["properties"]["title"] = {"type": "string"}  # the name of a field is no text
    assert before(order={"input": schema}).changes(TOOLS.tools()) != ()


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ([], "not an object with `tools`"),
        ({"tools": {"a.b": {}}}, "tool 'a.b' has no 'input'"),
        ({"tools": {"a.b": 3}}, "tool 'a.b'"),
        ({"tools": {"a.b": {"input": {"type": 3}, "output": {}, "item": {}}}}, "tool 'a.b'"),
        ({"tools": {"a.b": {"input": {}, "output": {}, "item": {}, "effect": "bad"}}}, "bad"),
    ],
)
def test_what_is_no_list_of_tools_is_refused(written: Any, says: str) -> None:
    with pytest.raises(ValueInvalid, match=says):
        SavedTools(written)
