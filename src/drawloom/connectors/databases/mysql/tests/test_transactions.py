"""Several operations at once, savepoints, deadlocks, and writes that happen once."""

from __future__ import annotations

import asyncio
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


KEYED = [
    ("execute_keyed", {"sql": "INSERT INTO t (v) VALUES (?)", "args": ["a"]}),
    ("insert_keyed", {"table": "t", "rows": [{"v": "a"}]}),
    ("transaction_keyed", {"operations": [{"do": "insert", "table": "t", "rows": [{"v": "a"}]}]}),
    ("load_keyed", {"table": "t", "rows": [{"v": "a"}]}),
]


async def keyed(db: Any, tool: str, key: str, arguments: dict[str, Any]) -> Any:
    given = dict(arguments)
    if tool == "load_keyed":
        given["rows"] = Stream.of(given["rows"])
    function = connector.tools[f"mysql.{tool}"].function
    return await function(db.client, context=Context(key=key), **given)


@pytest.mark.parametrize(("tool", "arguments"), KEYED)
async def test_a_repeated_call_gives_the_first_result(db, tool, arguments):
    await db.run("CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, v text)")
    first = await keyed(db, tool, "run/a", arguments)
    assert await keyed(db, tool, "run/a", arguments) == first
    assert await keyed(db, tool, "run/A", arguments) != first
    assert await db.value("SELECT COUNT(*) FROM t") == 2
    assert await db.value("SELECT COUNT(*) FROM drawloom_effects WHERE at IS NOT NULL") == 2


@pytest.mark.parametrize("settings", [{"max_connections": 5}])
async def test_calls_with_one_key_at_the_same_time(db):
    await db.run("CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, v text)")
    await keyed(db, *("insert_keyed", "other"), {"table": "t", "rows": [{"v": "x"}]})
    slow = {"operations": [
        {"do": "insert", "table": "t", "rows": [{"v": "a"}]},
        {"do": "execute", "sql": "SELECT SLEEP(0.1)"},
    ]}  # fmt: skip
    results = await asyncio.gather(
        *(keyed(db, "transaction_keyed", "same", slow) for _ in range(5))
    )
    assert all(one == results[0] for one in results)
    assert await db.value("SELECT COUNT(*) FROM t WHERE v = 'a'") == 1


async def test_a_call_that_failed_has_not_used_its_key(db):
    await db.run("CREATE TABLE t (id int PRIMARY KEY, v text)")
    for given, fails in [({"id": "x"}, True), ({"id": 1}, False)]:
        call = keyed(db, "insert_keyed", "k", {"table": "t", "rows": [given]})
        if fails:
            with pytest.raises(Exception, match="expected an integer"):
                await call
        else:
            assert await call == {"count": 1, "last_id": None}
    with pytest.raises(Exception, match="has no key"):
        await keyed(db, "insert_keyed", "", {"table": "t", "rows": [{"id": 2}]})
    with pytest.raises(Exception, match="commits by itself"):
        await keyed(db, "execute_keyed", "z", {"sql": "DROP TABLE t"})


async def chunks(*given: Any):
    for one in given:
        if isinstance(one, Exception):
            raise one
        yield one


async def test_a_stream_is_loaded_whole_or_not_at_all(db):
    await db.run("CREATE TABLE t (id int PRIMARY KEY, v text)")
    load = connector.tools["mysql.load"].function
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
