"""Rows of a table without SQL: what is found, changed and refused on a real server."""

from __future__ import annotations

from typing import Any

import pytest

from drawloom.errors import FailureKind

ROWS = [
    {"id": 1, "email": "ada@example.org", "total": "19.90", "tags": ["new"]},
    {"id": 2, "email": "grace@example.org", "total": "1250.00", "tags": []},
    {"id": 3, "email": None, "total": "7.50", "tags": None},
]


@pytest.fixture
async def orders(db: Any) -> Any:
    await db(
        "execute",
        sql="CREATE TABLE orders (id int8 PRIMARY KEY, email text, total numeric(10, 2),"
        " tags text[], made timestamptz NOT NULL DEFAULT now())",
    )
    assert (await db("insert", table="orders", rows=ROWS))["changes"] == 3
    return db


async def ids(db: Any, where: Any) -> list[int]:
    found = await db(
        "select", table="orders", columns=["id"], where=where, order=[{"column": "id"}],
        shape="column",
    )  # fmt: skip
    return found["rows"]


@pytest.mark.parametrize(
    ("column", "op", "value", "found"),
    [
        ("id", "eq", 2, [2]),
        ("id", "ne", 2, [1, 3]),
        ("total", "lt", "19.90", [3]),
        ("total", "lte", "19.90", [1, 3]),
        ("total", "gt", 19.9, [2]),
        ("total", "gte", "19.9", [1, 2]),
        ("id", "in", [1, 3, 9], [1, 3]),
        ("id", "in", [], []),
        ("id", "not_in", [1, 3], [2]),
        ("email", "like", "%@example.org", [1, 2]),
        ("email", "like", "ADA%", []),
        ("email", "ilike", "ADA%", [1]),
        ("total", "between", ["7.50", "19.90"], [1, 3]),
        ("tags", "eq", ["new"], [1]),
    ],
)
async def test_operators(orders, column, op, value, found):
    assert await ids(orders, {"column": column, "op": op, "value": value}) == found


async def test_null_is_asked_for_by_name(orders):
    assert await ids(orders, {"column": "email", "op": "is_null"}) == [3]
    assert await ids(orders, {"column": "email", "op": "not_null"}) == [1, 2]
    for op, value in (("eq", None), ("in", ["a", None]), ("between", [None, "b"])):
        failure = await orders.failure(
            "select", table="orders", where={"column": "email", "op": op, "value": value}
        )
        assert failure.kind is FailureKind.INVALID
        assert "use is_null or not_null" in failure.message


async def test_conditions_nest(orders):
    cheap = {"column": "total", "op": "lt", "value": 10}
    ada = {"column": "email", "op": "like", "value": "ada%"}
    assert await ids(orders, {"or": [cheap, ada]}) == [1, 3]
    assert await ids(orders, {"and": [cheap, ada]}) == []
    some = {"column": "id", "op": "in", "value": [1, 2]}
    assert await ids(orders, {"and": [some, {"or": [cheap, {"and": [ada, some]}]}]}) == [1]


async def test_order_and_limit(orders):
    async def order(*by: Any, **more: Any) -> Any:
        found = await orders(
            "select", table="orders", columns=["id"], order=list(by), shape="column", **more
        )
        return found["rows"], found["truncated"]

    email = {"column": "email"}
    assert await order(email) == ([1, 2, 3], False)
    assert await order({**email, "descending": True}) == ([3, 2, 1], False)
    assert await order({**email, "nulls": "first"}) == ([3, 1, 2], False)
    assert await order({"column": "id", "descending": True}, limit=2) == ([3, 2], True)


async def test_shapes(orders):
    async def shaped(**more: Any) -> Any:
        by_id = [{"column": "id"}]
        found = await orders("select", table="orders", limit=2, order=by_id, **more)
        return found["rows"]

    two = ["id", "email"]
    ada, grace = "ada@example.org", "grace@example.org"
    assert await shaped(columns=two) == [{"id": 1, "email": ada}, {"id": 2, "email": grace}]
    assert await shaped(columns=two, shape="arrays") == [[1, ada], [2, grace]]
    assert await shaped(columns=["email"], shape="column") == [ada, grace]
    keyed = await shaped(columns=two, shape="keyed", key="id")
    assert keyed == {"1": {"id": 1, "email": ada}, "2": {"id": 2, "email": grace}}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"shape": "column"}, "the result has 5: id, email"),
        ({"shape": "keyed"}, "`key` names the column"),
        ({"key": "id"}, "`key` names the column"),
        ({"shape": "keyed", "key": "nope"}, "no column 'nope'"),
        ({"shape": "keyed", "key": "email"}, "None in a row"),
        ({"shape": "keyed", "key": "made"}, "two rows have made"),
    ],
)
async def test_shapes_that_do_not_fit(orders, given, message):
    failure = await orders.failure("select", table="orders", **given)
    assert failure.kind is FailureKind.INVALID
    assert message in failure.message


async def test_a_query_takes_shapes_too(shared):
    sql = "SELECT n FROM generate_series(1, 3) AS n"
    assert (await shared("query", sql=sql, shape="column"))["rows"] == [1, 2, 3]
    assert (await shared("query", sql=sql, shape="arrays", limit=1))["rows"] == [[1]]
    assert list((await shared("query", sql=sql, shape="keyed", key="n"))["rows"]) == [
        "1",
        "2",
        "3",
    ]


async def test_insert_gives_back_what_defaults_made(db):
    await db("execute", sql="CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, a text)")
    rows = [{"a": "x"}, {"a": "y"}]
    done = await db("insert", table="t", rows=rows, returning=["id", "a"])
    assert done == {
        "changes": 2,
        "rows": [{"id": 1, "a": "x"}, {"id": 2, "a": "y"}],
        "columns": ["id", "a"],
    }
    assert await db("insert", table="t", rows=[]) == {"changes": 0, "rows": [], "columns": []}


async def test_insert_is_all_or_nothing(orders):
    failure = await orders.failure("insert", table="orders", rows=[{"id": 4}, {"id": 1}])
    assert failure.kind is FailureKind.CONFLICT
    assert await ids(orders, None) == [1, 2, 3]


async def test_a_row_that_lacks_a_field(orders):
    rows = [{"id": 4, "email": "a"}, {"id": 5}]
    failure = await orders.failure("insert", table="orders", rows=rows)
    assert "rows[1] has no 'email'" in failure.message
    assert (await orders("insert", table="orders", rows=rows, missing="null"))["changes"] == 2


async def test_upsert(orders):
    rows = [{"id": 3, "email": "alan"}, {"id": 4, "email": "x"}, {"id": 4, "email": "edsger"}]
    for _ in range(2):
        done = await orders("upsert", table="orders", rows=rows, key=["id"])
        assert done["changes"] == 3
    sql = "SELECT id, email, total FROM orders WHERE id > 2 ORDER BY id"
    assert await orders.rows(sql) == [
        {"id": 3, "email": "alan", "total": "7.50"},
        {"id": 4, "email": "edsger", "total": None},
    ]
    failure = await orders.failure("upsert", table="orders", rows=[{"id": None}], key=["id"])
    assert "rows[0].id is null" in failure.message


async def test_update_and_delete(orders):
    where = {"column": "id", "op": "gt", "value": 1}
    done = await orders(
        "update", table="orders", values={"total": "1.00"}, where=where, returning=["id", "total"]
    )
    assert done["changes"] == 2
    assert {"id": 3, "total": "1.00"} in done["rows"]
    assert (await orders("delete", table="orders", where=where))["changes"] == 2
    assert await ids(orders, None) == [1]
    assert (await orders("delete", table="orders", all=True))["changes"] == 1


@pytest.mark.parametrize("given", [{}, {"all": True, "where": {"column": "id", "op": "not_null"}}])
async def test_a_write_to_all_rows_is_said(orders, given):
    for tool, more in (("delete", {}), ("update", {"values": {"total": 0}})):
        failure = await orders.failure(tool, table="orders", **more, **given)
        assert failure.kind is FailureKind.INVALID
        assert "all: true" in failure.message
    assert await ids(orders, {"column": "total", "op": "gt", "value": 0}) == [1, 2, 3]


@pytest.mark.parametrize(
    ("tool", "given", "kind", "message"),
    [
        ("select", {"table": "order"}, FailureKind.MISSING, "did you mean 'orders'?"),
        ("select", {"table": "orders; DROP TABLE orders"}, FailureKind.MISSING, "no table"),
        ("select", {"table": "public.orders"}, FailureKind.MISSING, "'orders'?"),
        ("select", {"table": "orders", "schema": "pubic"}, FailureKind.MISSING, "mean 'public'?"),
        ("select", {"columns": ["mail"]}, FailureKind.INVALID, "/columns/0"),
        ("select", {"columns": ["emal"]}, FailureKind.INVALID, "did you mean 'email'?"),
        ("select", {"columns": ['id" FROM x --']}, FailureKind.INVALID, "has no column"),
        ("select", {"order": [{"column": "1"}]}, FailureKind.INVALID, "/order/0/column"),
        (
            "delete",
            {"where": {"and": [{"column": "ctid", "op": "not_null"}]}},
            FailureKind.INVALID,
            "/where/and/0/column",
        ),
        ("insert", {"rows": [{"id": 9}, {"emails": "x"}]}, FailureKind.INVALID, "/rows/1/emails"),
        ("update", {"values": {"nope": 1}, "all": True}, FailureKind.INVALID, "/values"),
        ("update", {"values": {}, "all": True}, FailureKind.INVALID, "no column to change"),
        ("upsert", {"rows": [{"id": 1}], "key": ["email"]}, FailureKind.INVALID, "no row has"),
        ("delete", {"all": True, "returning": ["x"]}, FailureKind.INVALID, "/returning/0"),
    ],
)
async def test_names_are_checked(orders, tool, given, kind, message):
    failure = await orders.failure(tool, **{"table": "orders", **given})
    assert failure.kind is kind
    assert message in failure.message
    assert await ids(orders, None) == [1, 2, 3]


@pytest.mark.parametrize(
    ("tool", "given", "path"),
    [
        (
            "select",
            {"where": {"or": [{"column": "id", "op": "eq", "value": "1x"}]}},
            "/where/or/0/value",
        ),
        ("update", {"values": {"id": 1, "total": "much"}, "all": True}, "/values/total"),
        ("insert", {"rows": [{"id": 8, "tags": []}, {"id": 9, "tags": [1]}]}, "/rows/1/tags"),
        ("insert", {"rows": [{"id": 8, "tags": []}, {"id": 9, "tags": "a"}]}, "/rows/1/tags"),
    ],
)
async def test_a_value_that_does_not_fit_is_named_by_its_place(orders, tool, given, path):
    failure = await orders.failure(tool, table="orders", **given)
    assert failure.kind is FailureKind.INVALID
    assert failure.message.startswith(f"{path}: ")
    assert "$" not in failure.message


async def test_names_need_not_be_plain(db):
    await db("execute", sql='CREATE SCHEMA "Odd ""one"')
    await db("execute", sql='CREATE TABLE "Odd ""one"."a.b" ("x""; y" int)')
    where = {"schema": 'Odd "one', "table": "a.b"}
    await db("insert", rows=[{'x"; y': 7}], **where)
    assert (await db("select", **where))["rows"] == [{'x"; y': 7}]


async def test_a_document_of_five_megabytes(db):
    await db("execute", sql="CREATE TABLE t (id int, doc jsonb, text text)")
    text = "woven é " * 650_000
    document = {"text": text, "list": list(range(1_000))}
    assert len(text.encode()) > 5_000_000
    done = await db("insert", table="t", rows=[{"id": 1, "doc": document, "text": text}])
    assert done["changes"] == 1
    found = await db("select", table="t")
    assert found["rows"] == [{"id": 1, "doc": document, "text": text}]
