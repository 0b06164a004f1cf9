"""Updates, replacements and deletions; several in one call; all or nothing."""

from __future__ import annotations

import asyncio

import pytest

from drawloom.connectors.databases.mongodb import connector
from drawloom.errors import FailureKind
from drawloom.sdk import name_fault

ONE = {"_id": {"$eq": 1}}


@pytest.fixture
async def t(db):
    documents = [{"_id": n, "n": n, "l": [1, 2], "items": [{"q": 1}, {"q": n}]} for n in range(4)]
    await db.taking("insert_many", collection="t", documents=documents)
    return db


@pytest.mark.parametrize(
    ("update", "changed"),
    [
        ({"$set": {"n": "x", "a.b": {"c": [1]}}}, {"n": "x", "a": {"b": {"c": [1]}}}),
        ({"$unset": {"n": ""}, "$set": {"l": []}}, {"n": None, "l": []}),
        ({"$inc": {"n": 2}, "$rename": {"l": "m"}}, {"n": 3, "l": None, "m": [1, 2]}),
        ({"$mul": {"n": {"$numberDecimal": "1.5"}}}, {"n": {"$numberDecimal": "1.5"}}),
        ({"$min": {"n": 0}}, {"n": 0}),
        ({"$max": {"n": 9}}, {"n": 9}),
        ({"$push": {"l": {"$each": [3, 0], "$sort": 1, "$slice": -3}}}, {"l": [1, 2, 3]}),
        ({"$push": {"l": {"$each": [[7]], "$position": 0}}}, {"l": [[7], 1, 2]}),
        ({"$addToSet": {"l": {"$each": [2, 3]}}}, {"l": [1, 2, 3]}),
        ({"$pop": {"l": -1}}, {"l": [2]}),
        ({"$pull": {"l": {"$gte": 2}}}, {"l": [1]}),
        ({"$pull": {"items": {"q": {"$eq": 1}}}}, {"items": []}),
        ({"$pullAll": {"l": [1, 2]}}, {"l": []}),
        ({"$bit": {"n": {"or": 6}}}, {"n": 7}),
        ({"$set": {"items.$[i].q": 5}}, {"items": [{"q": 5}, {"q": 5}]}),
    ],
    ids=str,
)
async def test_an_update(t, update, changed):
    filters = [{"i.q": {"$lt": 2}}] if "$[i]" in str(update) else None
    given = {"array_filters": filters} if filters else {}
    done = await t("update_one", collection="t", filter=ONE, update=update, **given)
    assert done == {"matched": 1, "modified": 1, "upserted_id": None}
    [found] = await t.all(filter=ONE)
    assert {name: found.get(name) for name in changed} == changed
    assert len(await t.all(filter={"_id": {"$ne": 1}, "n": {"$lt": 4}})) == 3


async def test_an_update_by_stages_binds_its_values(t):
    stages = [{"$set": {"n": {"$arg": "v"}, "m": {"$add": ["$n", 1]}}}]
    given = {"collection": "t", "filter": ONE, "update": stages}
    await t("update_one", **given, args={"v": "$l"})
    assert [(one["n"], one["m"]) for one in await t.all(filter=ONE)] == [("$l", 2)]
    failure = await t.failure("update_one", **given)
    assert (failure.kind, "args has no 'v'" in failure.message) == (FailureKind.INVALID, True)


async def test_update_many_and_upsert(t):
    some = {"_id": {"$lt": 3}}
    done = await t("update_many", collection="t", filter=some, update={"$set": {"n": 0}})
    assert done == {"matched": 3, "modified": 2, "upserted_id": None}
    new = {"collection": "t", "filter": {"_id": {"$eq": "new"}}, "upsert": True}
    done = await t("update_one", **new, update={"$setOnInsert": {"n": 1}, "$currentDate": {"at": True}})  # fmt: skip
    assert done == {"matched": 0, "modified": 0, "upserted_id": "new"}


async def test_replace_and_delete(t):
    given = {"collection": "t", "filter": ONE}
    done = await t("replace_one", **given, replacement={"x.y": 1})
    assert (done["modified"], await t.all(filter=ONE)) == (1, [{"_id": 1, "x.y": 1}])
    assert await t("delete_one", **given) == {"deleted": 1}
    assert await t("delete_one", **given) == {"deleted": 0}
    assert await t("delete_many", collection="t", filter={}) == {"deleted": 3}


async def test_find_one_and(t):
    given = {"collection": "t", "sort": {"_id": -1}, "projection": {"n": 1}}
    found = await t("find_one_and_update", **given, filter={}, update={"$inc": {"n": 1}})
    assert found == {"document": {"_id": 3, "n": 3}, "found": True}
    found = await t("find_one_and_update", **given, filter={}, update={"$inc": {"n": 1}}, returns="after")  # fmt: skip
    assert found["document"] == {"_id": 3, "n": 5}
    found = await t("find_one_and_replace", **given, filter={}, replacement={"n": 0}, returns="after")  # fmt: skip
    assert found["document"] == {"_id": 3, "n": 0}
    found = await t("find_one_and_delete", **given, filter={"n": {"$eq": 0}})
    assert found["document"] == {"_id": 3, "n": 0}
    found = await t("find_one_and_delete", **given, filter={"_id": {"$eq": 3}})
    assert found == {"document": None, "found": False}


async def test_an_upsert_can_be_repeated(t):
    documents = [{"_id": 1, "n": "new"}, {"_id": 9}]
    for inserted in (1, 0):
        done = await t.taking("upsert", collection="t", documents=documents, key=["_id"])
        assert done == {"count": 2, "inserted": inserted}
    assert await t.all(filter={"_id": {"$in": [1, 9]}}) == documents
    for bad in ({"a": 1}, {"_id": None}, {"_id": [1]}):
        with pytest.raises(Exception, match="key '_id' needs one value"):
            await t.taking("upsert", collection="t", documents=[bad], key=["_id"])


OPERATIONS = [
    {"op": "insert_one", "document": {"_id": "a"}},
    {"op": "update_one", "filter": ONE, "update": {"$inc": {"n": 1}}},
    {"op": "update_many", "filter": {}, "update": {"$set": {"z": 1}}},
    {"op": "replace_one", "filter": {"_id": {"$eq": "b"}}, "replacement": {}, "upsert": True},
    {"op": "delete_one", "filter": {"_id": {"$eq": 0}}},
    {"op": "delete_many", "filter": {"_id": {"$gt": 2}}},
]


async def test_bulk_write(t):
    done = await t("bulk_write", collection="t", operations=OPERATIONS)
    assert done == {"inserted": 1, "matched": 6, "modified": 6, "deleted": 2, "upserted_ids": {"3": "b"}}  # fmt: skip
    assert {one["_id"] for one in await t.all()} == {1, 2, "a", "b"}
    assert (await t("bulk_write", collection="t", operations=[]))["inserted"] == 0


@pytest.mark.parametrize(("ordered", "left"), [(True, 0), (False, 1)])
async def test_a_bulk_write_that_fails_says_how_far_it_came(t, ordered, left):
    operations = [
        {"op": "delete_one", "filter": {"_id": {"$eq": 0}}},
        {"op": "insert_one", "document": {"_id": 1}},
        {"op": "insert_one", "document": {"_id": "later"}},
    ]
    failure = await t.failure("bulk_write", collection="t", operations=operations, ordered=ordered)
    assert (failure.kind, failure.harmless) == (FailureKind.CONFLICT, False)
    assert "number 1" in failure.message
    assert failure.details["nRemoved"] == 1
    assert len(await t.all(filter={"_id": {"$eq": "later"}})) == left


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "insert_one"},
        {"op": "insert_one", "document": {}, "upsert": True},
        {"op": "delete_one", "filter": {}, "update": {"$set": {"a": 1}}},
        {"op": "update_one", "filter": {}, "update": {"a": 1}},
        {"op": "replace_one", "filter": {}, "replacement": {"$set": 1}},
    ],
)
async def test_an_operation_that_is_wrong_stops_all_of_them(t, operation):
    operations = [{"op": "delete_many", "filter": {}}, operation]
    failure = await t.failure("bulk_write", collection="t", operations=operations)
    assert failure.kind is FailureKind.INVALID
    assert len(await t.all()) == 4


async def test_a_transaction_is_all_or_nothing(t):
    operations = [{**one, "collection": "t"} for one in OPERATIONS[:2]]
    operations.append({"op": "insert_one", "collection": "u", "document": {"_id": 1}})
    done = await t("transaction", operations=operations)
    assert [one["inserted"] for one in done["operations"]] == [1, 0, 1]
    again = [{"op": "delete_many", "collection": "t", "filter": {}}, *operations]
    failure = await t.failure("transaction", operations=again)
    assert failure.kind is FailureKind.CONFLICT
    assert len(await t.all()) == 5
    assert await t.all("u") == [{"_id": 1}]


async def test_two_transactions_in_each_others_way(t, raw):
    with raw.client.start_session() as session, session.start_transaction():
        raw["t"].update_one({"_id": 1}, {"$set": {"n": "ours"}}, session=session)
        operation = {"op": "update_one", "collection": "t", "filter": ONE, "update": {"$inc": {"n": 1}}}  # fmt: skip
        failure = await t.failure("transaction", operations=[operation])
    assert (failure.kind, failure.harmless) == (FailureKind.TRANSIENT, True)
    assert (await t.all(filter=ONE))[0]["n"] == "ours"


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"max_connections": 20}])
async def test_a_thousand_calls_at_once(t):
    update = {"$inc": {"n": 1}}
    calls = [t("update_one", collection="t", filter=ONE, update=update) for _ in range(1_000)]
    done = await asyncio.gather(*calls, return_exceptions=True)
    failed = [name_fault(connector.faults, one) for one in done if isinstance(one, Exception)]
    assert failed == []
    assert (await t.all(filter=ONE))[0]["n"] == 1_001
