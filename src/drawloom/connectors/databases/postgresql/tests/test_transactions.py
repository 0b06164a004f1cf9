"""Several operations: all or nothing, but for those that are optional."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from drawloom.errors import FailureKind
from drawloom.sdk import Context


@pytest.fixture
async def stock(db: Any) -> Any:
    await db("execute", sql="CREATE TABLE stock (place text PRIMARY KEY, n int CHECK (n >= 0))")
    await db("insert", table="stock", rows=[{"place": "a", "n": 5}, {"place": "b", "n": 5}])
    return db


async def content(db: Any) -> dict[str, int]:
    rows = await db.rows("SELECT place, n FROM stock ORDER BY place")
    return {row["place"]: row["n"] for row in rows}


def add(place: str, n: int, **more: Any) -> dict[str, Any]:
    sql = "UPDATE stock SET n = n + $1 WHERE place = $2"
    return {"do": "execute", "sql": sql, "args": [n, place], **more}


def at(place: str) -> dict[str, Any]:
    return {"column": "place", "op": "eq", "value": place}


async def test_every_kind_of_operation(stock):
    done = await stock(
        "transaction",
        operations=[
            add("a", -2),
            {"do": "insert", "table": "stock", "rows": [{"place": "c", "n": 1}]},
            {"do": "upsert", "table": "stock", "rows": [{"place": "b", "n": 9}], "key": ["place"]},
            {"do": "update", "table": "stock", "values": {"n": 7}, "where": at("c")},
            {"do": "delete", "table": "stock", "where": at("b"), "returning": ["n"]},
            {"do": "execute", "sql": "SELECT count(*) AS left FROM stock"},
        ],
    )
    assert [one["changes"] for one in done["results"]] == [1, 1, 1, 1, 1, 0]
    assert done["changes"] == 5
    assert done["results"][4]["rows"] == [{"n": 9}]
    assert done["results"][5]["rows"] == [{"left": 2}]
    assert await content(stock) == {"a": 3, "c": 7}


async def test_one_that_fails_undoes_all_and_is_named(stock):
    failure = await stock.failure("transaction", operations=[add("a", 1), add("b", -9)])
    assert failure.kind is FailureKind.INVALID
    assert failure.message.startswith("operations[1]: ")
    assert failure.details["operation"] == 1
    assert await content(stock) == {"a": 5, "b": 5}


async def test_an_optional_one_is_rolled_back_alone(stock):
    twice = {"do": "insert", "table": "stock", "rows": [{"place": "c", "n": 1}, {"place": "a"}]}
    gone = {"do": "execute", "sql": "TABLE nowhere", "optional": True}
    operations = [add("a", 1), {**twice, "missing": "null", "optional": True}, gone, add("b", 1)]
    done = await stock("transaction", operations=operations)
    kinds = [one["failure"] and one["failure"]["kind"] for one in done["results"]]
    assert kinds == [None, "conflict", "missing", None]
    assert await content(stock) == {"a": 6, "b": 6}


@pytest.mark.parametrize(
    "sql", ["COMMIT", "; commit", "/* x */ ROLLBACK", "-- x\nBEGIN", "SAVEPOINT a", "END"]
)
async def test_no_operation_ends_the_transaction(stock, sql):
    operations = [add("a", 1), {"do": "execute", "sql": sql}]
    failure = await stock.failure("transaction", operations=operations)
    assert failure.kind is FailureKind.INVALID
    assert await content(stock) == {"a": 5, "b": 5}


async def test_read_only(stock):
    reading = {"do": "execute", "sql": "SELECT sum(n) AS n FROM stock"}
    told = {"isolation": "serializable", "read_only": True, "deferrable": True}
    done = await stock("transaction", operations=[reading], context=Context(key="k"), **told)
    assert done["results"][0]["rows"] == [{"n": 10}]
    failure = await stock.failure("transaction", operations=[add("a", 1)], **told)
    assert failure.kind is FailureKind.DENIED
    failure = await stock.failure("transaction", operations=[reading], deferrable=True)
    assert failure.kind is FailureKind.INVALID


async def test_a_deadline(stock):
    slow = {"do": "execute", "sql": "SELECT pg_sleep(3600)", "optional": True}
    failure = await stock.failure("transaction", operations=[add("a", 1), slow], deadline=0.1)
    assert (failure.kind, failure.harmless) == (FailureKind.TIMEOUT, True)
    assert await content(stock) == {"a": 5, "b": 5}
    assert await stock.value("SELECT 1") == 1


async def test_it_is_done_once(stock):
    context = Context(key="run/step")
    first = await stock("transaction", operations=[add("a", 1)], context=context)
    assert await stock("transaction", operations=[add("a", 1)], context=context) == first
    assert await content(stock) == {"a": 6, "b": 5}


async def test_a_serialization_failure_is_harmless(stock, postgresql_server):
    other = await postgresql_server.connect(stock.client.settings.database)
    await other.execute("SELECT pg_advisory_lock(1)")
    looks = {"do": "execute", "sql": "SELECT sum(n) FROM stock"}
    waits = {"do": "execute", "sql": "SELECT pg_advisory_xact_lock(1)::text"}
    operations = [add("b", 1), looks, waits, add("a", 1)]
    lost = asyncio.create_task(
        stock.failure("transaction", operations=operations, isolation="repeatable_read")
    )
    while not await other.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
        assert not lost.done()
    await other.execute("UPDATE stock SET n = 0 WHERE place = 'a'")
    await other.execute("SELECT pg_advisory_unlock(1)")
    failure = await lost
    assert (failure.kind, failure.harmless) == (FailureKind.TRANSIENT, True)
    assert failure.details["sqlstate"] == "40001"
    assert await content(stock) == {"a": 0, "b": 5}
    await stock("transaction", operations=operations, isolation="repeatable_read")
    assert await content(stock) == {"a": 1, "b": 6}
    await other.close()
