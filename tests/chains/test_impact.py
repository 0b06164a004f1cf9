"""What a change of a tool, or of a column, reaches."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from typing_extensions import TypedDict

from drawloom.chains import load
from drawloom.chains.impact import changed_tool, impact_of, renamed, with_schemas, without
from drawloom.chains.impact_columns import Column, column_impact, use_in
from drawloom.errors import ValueInvalid
from drawloom.runtime import Catalogue
from drawloom.sdk import Chunk, tool


class Order(TypedDict):
    """An order."""

    id: int
    total: float


class Orders(TypedDict):
    """Orders, and how many."""

    rows: list[Order]
    count: int


@tool(effect="read")
async def orders(days: int, state: str = "open") -> Orders:
    """Orders of some days."""
    return {"rows": [], "count": days}


TOOLS = Catalogue([orders])
CHAIN = load(
    """\
chain: late
input: {days: {type: integer}, text: {type: string}}
steps:
  got: {use: my.orders, with: {days: "${input.days}", state: late}}
  ids: {use: core.transform, with: {value: "${steps.got.rows.id}"}}
  sum: {use: core.transform, with: {value: "${$sum(steps.got.rows.total)}"}}
  gone: {use: core.transform, with: {value: "${input.text} ${steps.got.nope}"}}
output: {n: "${steps.got.count}", ids: "${steps.ids.value}"}
""",
    file="late.yaml",
)


def reached(*changes: Any) -> list[tuple[str | None, str, str]]:
    changed = changed_tool(TOOLS.find("my.orders"), list(changes))
    found = impact_of(CHAIN, TOOLS, changed)
    return [(one.step, one.certainty, one.finding.code if one.finding else "") for one in found]


@pytest.mark.parametrize(
    ("change", "steps"),
    [
        (without("output", "count"), [(None, "breaks", "unknown-output-field")]),
        (without("output", "rows.id"), [("ids", "breaks", "unknown-output-field")]),
        (without("output", "rows.total"), [("sum", "breaks", "unknown-output-field")]),
        (renamed("output", "count", "number"), [(None, "breaks", "unknown-output-field")]),
        (without("input", "state"), [("got", "breaks", "unknown-input")]),
        (
            renamed("input", "days", "since"),
            [("got", "breaks", "missing-input"), ("got", "breaks", "unknown-input")],
        ),
        (
            with_schemas({"input": {"type": "object", "properties": {"days": {"type": ["integer", "string"]}, "state": {}}}}),
            [],
        ),
        (with_schemas({"output": {"type": "object", "properties": {"rows": {"type": "array", "items": {"type": "object", "properties": {"id": {}, "total": {}}}}}}}), [(None, "breaks", "unknown-output-field")]),
    ],
)  # fmt: skip
def test_only_what_is_new_is_told(change: Any, steps: list[Any]) -> None:
    assert sorted(reached(change), key=str) == sorted(steps, key=str)


def test_a_place_is_told() -> None:
    changed = changed_tool(TOOLS.find("my.orders"), [without("output", "rows.id")])
    [one] = impact_of(CHAIN, TOOLS, changed)
    assert one.finding is not None
    assert one.finding.place.startswith("late.yaml:5:")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (without("output", "cuont"), "did you mean 'count'"),
        (without("output", "rows.x"), "it has id, total"),
        (without("input", "day"), "did you mean 'days'"),
    ],
)
def test_a_field_that_is_not_there(change: Any, says: str) -> None:
    with pytest.raises(ValueInvalid, match=says):
        changed_tool(TOOLS.find("my.orders"), [change])


@pytest.mark.parametrize("written", [[], {"in": {}}, {"input": {"type": "nothing"}}])
def test_a_schema_that_is_none(written: Any) -> None:
    with pytest.raises(ValueInvalid):
        with_schemas(written)


def test_the_tool_itself_does_not_change() -> None:
    before = str(orders.output_schema)
    reached(without("output", "count"))
    assert str(orders.output_schema) == before


def test_the_items_of_a_stream_count_as_its_output() -> None:
    @tool(effect="read", name="my.rows")
    async def rows() -> AsyncIterator[Chunk[Order]]:
        """Orders, bit by bit."""
        yield Chunk([], None)

    tools = Catalogue([rows])
    chain = load("""\
chain: bits
steps:
  source: {use: my.rows}
  each: {use: core.transform, for_each: "${steps.source}", with: {value: "${item.total}"}}
output: "${steps.each}"
""")
    gone = changed_tool(tools.find("my.rows"), [without("output", "total")])
    kept = changed_tool(tools.find("my.rows"), [without("output", "id")])
    assert [one.step for one in impact_of(chain, tools, gone)] == ["each"]
    assert impact_of(chain, tools, kept) == ()


@pytest.mark.parametrize(
    ("sql", "certainty"),
    [
        ("select total from orders", "breaks"),
        ("SELECT Total FROM Orders", "breaks"),
        ('select "total" from "orders"', "breaks"),
        ("select o.total from orders o join users u on u.id = o.by", "breaks"),
        ("select u.total from orders o join users u on u.id = o.by", None),
        ("select total from orders, users", "may"),
        ("select total from orders join users using (id)", "may"),
        ("select total from public.orders as o", "breaks"),
        ("select total from users", None),
        ("select id from orders where note = 'total'", None),
        ("select id from orders -- total", None),
        ("select id /* total */ from orders", None),
        ("select $$total$$ from orders", None),
        ("select total(id) from orders", None),
        ("select * from orders", "may"),
        ("select count(*) from orders", None),
        ("update orders set total = 0", "breaks"),
        ("delete from orders where total < 1", "breaks"),
        ("insert into orders (id, total) values (1, 2)", "breaks"),
        ("insert into orders (id) values (1)", None),
        ("insert into orders values (1, 2)", "may"),
        ("select ${input.what} from orders", "may"),
        ("${input.sql}", "may"),
        ("select ${input.what} from users", None),
        ("with x as (select id from orders) select total from x", "may"),
    ],
)
def test_sql_that_uses_a_column(sql: str, certainty: str | None) -> None:
    found = use_in(sql, Column("orders", "total"))
    assert (found and found[0]) == certainty


def test_steps_that_use_a_column() -> None:
    chain = load(
        """\
chain: shop
connections: {db: postgresql, file: sqlite, api: http}
steps:
  a: {use: postgresql.query, on: db, with: {sql: "select total from orders"}}
  b: {use: sqlite.transaction, on: file, with: {statements: [{sql: select 1}, {sql: delete from orders where total = 1}]}}
  c: {use: sqlite.append, on: file, with: {table: orders, rows: [{total: 1}]}}
  d: {use: sqlite.append, on: file, with: {table: orders, rows: "${steps.a.rows}"}}
  e: {use: sqlite.append, on: file, with: {table: other, rows: [{total: 1}]}}
  f: {use: http.get, on: api, with: {path: orders/total}}
""",
        file="shop.yaml",
    )
    found = column_impact(chain, Column.parse("orders.total"))
    assert [(one.step, one.certainty) for one in found] == [
        ("a", "breaks"),
        ("b", "breaks"),
        ("c", "breaks"),
        ("d", "may"),
    ]
    assert found[1].finding is not None
    assert found[1].finding.pointer == "/steps/b/with/statements/1/sql"
    only = column_impact(chain, Column.parse("main.orders.total"), {"db": "main", "file": "f"})
    assert [one.step for one in only] == ["a"]


@pytest.mark.parametrize("text", ["total", "a.b.c.d", ".total", "a."])
def test_a_column_that_is_none(text: str) -> None:
    with pytest.raises(ValueInvalid, match=r"TABLE\.COLUMN"):
        Column.parse(text)
