"""Several operations at once, savepoints, deadlocks, and streams that are loaded."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from drawloom.connectors.databases.mysql import connector
from drawloom.errors import Failure, FailureKind, ToolError
from drawloom.sdk import Context, Stream, name_fault

ACCOUNTS = "CREATE TABLE accounts (id int PRIMARY KEY, total decimal(9, 2) CHECK (total >= 0))"


@pytest.fixture
async def accounts(db):
    await db.run(ACCOUNTS)
    await db("insert", table="accounts", rows=[{"id": 1, "total": 10}, {"id": 2, "total": 20}])
    return db


def set_total(number: int, total: Any, **more: Any) -> dict[str, Any]:
    where = [{"column": "id", "op": "eq", "value": number}]
    return {"do": "update", "table": "accounts", "set": {"total": total}, "where": where, **more}


async def totals(db: Any) -> dict[str, str]:
    rows = await db("query", sql="SELECT id, total FROM accounts", shape="keyed", key="id")
    return {key: row["total"] for key, row in rows["rows"].items()}


async def test_all_of_them(accounts):
    done = await accounts("transaction", isolation="serializable", operations=[
        set_total(1, 5, expect=1),
        {"do": "insert", "table": "accounts", "rows": [{"id": 3, "total": 1}]},
        {"do": "upsert", "table": "accounts", "rows": [{"id": 3, "total": 2}], "key": ["id"]},
        {"do": "delete", "table": "accounts", "where": [{"column": "id", "op": "eq", "value": 2}]},
        {"do": "execute", "sql": "UPDATE accounts SET total = total + ?", "args": [1]},
    ])  # fmt: skip
    assert [one.get("changes", one.get("count")) for one in done["results"]] == [1, 1, 1, 1, 2]
    assert await totals(accounts) == {"1": "6.00", "3": "3.00"}


@pytest.mark.parametrize(
    ("last", "kind"),
    [
        (set_total(2, -1), FailureKind.INVALID),
        (set_total(9, 1, expect=1), FailureKind.CONFLICT),
        ({"do": "execute", "sql": "DROP TABLE accounts"}, FailureKind.INVALID),
        ({"do": "execute", "sql": "COMMIT"}, FailureKind.INVALID),
        ({"do": "insert", "table": "nope", "rows": [{"a": 1}]}, FailureKind.MISSING),
    ],
)
async def test_or_none(accounts, last, kind):
    failure = await accounts.failure("transaction", operations=[set_total(1, 0), last])
    assert failure.kind is kind
    assert await totals(accounts) == {"1": "10.00", "2": "20.00"}


async def test_an_attempt_goes_back_to_its_savepoint(accounts):
    row = {"do": "insert", "table": "accounts", "rows": [{"id": 2, "total": 0}]}
    done = await accounts("transaction", operations=[
        set_total(1, 1),
        {"do": "attempt", "operations": [set_total(1, 2), row]},
        {"do": "attempt", "operations": [set_total(2, 3)]},
    ])  # fmt: skip
    assert done["results"][1]["failure"]["kind"] == "conflict"
    assert done["results"][2] == {"done": True, "results": [{"changes": 1}]}
    assert await totals(accounts) == {"1": "1.00", "2": "3.00"}


async def test_a_deadlock_is_harmless_and_leaves_one_of_two(accounts):
    """Each takes its row, and wants the other's once both have theirs."""
    sleep = {"do": "execute", "sql": "SELECT SLEEP(0.2)"}
    done = await asyncio.gather(
        accounts("transaction", operations=[set_total(1, 1), sleep, set_total(2, 1)]),
        accounts("transaction", operations=[set_total(2, 2), sleep, set_total(1, 2)]),
        return_exceptions=True,
    )
    [lost] = [one for one in done if isinstance(one, Exception)]
    failure = name_fault(connector.faults, lost)
    assert (failure.kind, failure.harmless) == (FailureKind.TRANSIENT, True)
    assert await totals(accounts) in ({"1": "1.00", "2": "1.00"}, {"1": "2.00", "2": "2.00"})


async def test_a_deadlock_within_an_attempt_is_no_attempt_failed(accounts):
    """It has rolled back everything, the savepoint too."""
    sleep = {"do": "execute", "sql": "SELECT SLEEP(0.2)"}
    attempt = {"do": "attempt", "operations": [sleep, set_total(2, 1)]}
    done = await asyncio.gather(
        accounts("transaction", operations=[set_total(1, 1), attempt]),
        accounts("transaction", operations=[set_total(2, 2), sleep, set_total(1, 2)]),
        return_exceptions=True,
    )
    assert [type(one).__name__ for one in done].count("ToolError") == 1
    assert await totals(accounts) in ({"1": "1.00", "2": "1.00"}, {"1": "2.00", "2": "2.00"})


async def chunks(*given: Any):
    for one in given:
        if isinstance(one, Exception):
            raise one
        yield one


async def test_a_stream_is_loaded_whole_or_not_at_all(db):
    await db.run("CREATE TABLE t (id int PRIMARY KEY, v text)")
    load = partial(connector.tools["mysql.load"].function, context=Context())
    some, more = [{"id": n, "v": "a"} for n in range(1_500)], [{"id": 2_000, "v": "b"}]
    done = await load(db.client, table="t", rows=Stream(chunks(some, [], more)))
    assert done == {"count": 1_501, "last_id": None}
    broken = ToolError(Failure(FailureKind.THROTTLED, "the source", harmless=True))
    with pytest.raises(ToolError) as raised:
        await load(db.client, table="t", rows=Stream(chunks([{"id": 5_000, "v": ""}], broken)))
    assert raised.value.failure == broken.failure, "of what the source says nothing is lost"
    assert await db.value("SELECT COUNT(*) FROM t") == 1_501
    again = Stream(chunks([{"id": 0, "v": "c"}], [{"id": 9_999, "v": "c"}]))
    assert (await load(db.client, table="t", rows=again, key=["id"]))["count"] == 2
    assert await db.value("SELECT COUNT(*) FROM t WHERE v = 'c'") == 2
    assert await load(db.client, table="t", rows=Stream.of([])) == {"count": 0, "last_id": None}
