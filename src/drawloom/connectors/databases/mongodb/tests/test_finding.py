"""Looking through a collection, as a whole and bit by bit."""

from __future__ import annotations

import pytest

from drawloom.errors import FailureKind


@pytest.fixture
async def shop(db):
    documents = [
        {"_id": n, "name": f"n{n}", "total": n * 10, "tags": ["a", f"t{n % 3}"], "at": {"x": n}}
        for n in range(10)
    ]
    await db.taking("insert_many", collection="t", documents=documents)
    return db


@pytest.mark.parametrize(
    ("filter", "ids"),
    [
        ({}, range(10)),
        ({"name": {"$eq": "n3"}}, [3]),
        ({"total": {"$gte": 50, "$lt": 70}}, [5, 6]),
        ({"name": {"$in": ["n1", "n2", "zz"]}}, [1, 2]),
        ({"name": {"$nin": ["n1"]}, "_id": {"$lte": 2}}, [0, 2]),
        ({"$or": [{"_id": {"$eq": 1}}, {"_id": {"$eq": 2}}]}, [1, 2]),
        ({"$and": [{"_id": {"$gt": 1}}, {"$nor": [{"_id": {"$gt": 3}}]}]}, [2, 3]),
        ({"tags": {"$all": ["a", "t1"]}}, [1, 4, 7]),
        ({"tags": {"$elemMatch": {"$regex": "^T2", "$options": "i"}}}, [2, 5, 8]),
        ({"tags": {"$size": 2}, "at.x": {"$mod": [4, 1]}}, [1, 5, 9]),
        ({"name": {"$not": {"$regex": "[1-9]"}}}, [0]),
        ({"nope": {"$exists": False}, "name": {"$type": "string"}, "_id": {"$ne": 0}}, range(1, 10)),
        ({"at": {"$eq": {"x": 4}}}, [4]),
    ],
)  # fmt: skip
async def test_a_filter(shop, filter, ids):
    assert [one["_id"] for one in await shop.all(filter=filter)] == list(ids)
    assert await shop("count", collection="t", filter=filter) == {"count": len(list(ids))}


async def test_projection_sort_skip_and_limit(shop):
    found = await shop(
        "find", collection="t", projection={"name": 1, "_id": 0}, sort={"total": -1}, skip=1, limit=2
    )  # fmt: skip
    assert found == {"documents": [{"name": "n8"}, {"name": "n7"}], "count": 2, "truncated": True}
    found = await shop("find", collection="t", filter={"_id": {"$lt": 2}}, limit=2)
    assert (found["count"], found["truncated"]) == (2, False)
    none = await shop("find", collection="t", limit=0)
    assert (none["documents"], none["truncated"]) == ([], True)
    cut = await shop.all(projection={"tags": {"$slice": 1}, "at": 0}, limit=1)
    assert cut == [{"_id": 0, "name": "n0", "total": 0, "tags": ["a"]}]


async def test_find_one(shop):
    found = await shop("find_one", collection="t", sort={"_id": -1}, projection={"_id": 1})
    assert found == {"document": {"_id": 9}, "found": True}
    found = await shop("find_one", collection="t", filter={"_id": {"$eq": 99}})
    assert found == {"document": None, "found": False}


async def test_distinct_and_a_bounded_count(shop):
    found = await shop("distinct", collection="t", field="tags", filter={"_id": {"$lt": 2}})
    assert (sorted(found["values"]), found["count"]) == (["a", "t0", "t1"], 3)
    assert await shop("count", collection="t", limit=3) == {"count": 3}


@pytest.mark.parametrize("settings", [{"max_documents": 9}])
async def test_too_many_documents_are_an_error_not_a_cut(shop):
    for tool, given in (("find", {}), ("distinct", {"field": "name"})):
        failure = await shop.failure(tool, collection="t", **given)
        assert failure.kind is FailureKind.INVALID
        assert "more than 9 documents, the connection's max_documents" in failure.message
    assert len(await shop.all(limit=9)) == 9


@pytest.mark.parametrize(
    "name", ["", "a\0b", "a$b", "system.users", ".a", "a.", "a..b", "ü" * 101]
)
async def test_a_name_that_is_none_is_refused(db, name):
    failure = await db.failure("find", collection=name or " $")
    assert failure.kind is FailureKind.INVALID


async def test_a_stream_gives_each_document_once(shop):
    chunks = await shop.read("stream", batch=4, collection="t", projection={"total": 1})
    assert [len(chunk) for chunk in chunks] == [4, 4, 2]
    assert [one["_id"] for chunk in chunks for one in chunk] == list(range(10))
    chunks = await shop.read("stream", batch=3, collection="t", filter={"tags": {"$eq": "t1"}})
    assert [one["_id"] for chunk in chunks for one in chunk] == [1, 4, 7]
    chunks = await shop.read("stream", batch=3, collection="t", after={"key": 7})
    assert [one["_id"] for chunk in chunks for one in chunk] == [8, 9]


KEYS = [
    {"$numberDouble": "NaN"}, -5, 2.5, {"$numberDecimal": "2.75"}, {"$numberLong": "9007199254740993"},
    "", "a", {"a": 1}, {"$binary": {"base64": "AP8=", "subType": "00"}}, {"$oid": "0" * 24},
    {"$oid": "f" * 24}, False, True, {"$date": "2020-01-01T00:00:00Z"},
    {"$timestamp": {"t": 1, "i": 1}}, {"$maxKey": 1},
]  # fmt: skip


@pytest.mark.parametrize("batch", [1, 2, 100])
async def test_a_stream_goes_through_keys_of_every_type(db, batch):
    await db.taking("insert_many", collection="t", documents=[{"_id": k} for k in KEYS])
    chunks = await db.read("stream", batch=batch, collection="t")
    assert [one["_id"] for chunk in chunks for one in chunk] == KEYS


async def test_a_stream_by_a_key_of_its_own(db):
    documents = [{"_id": n, "at": {"nr": 100 - n}} for n in range(7)]
    await db.taking("insert_many", collection="t", documents=[*documents, {"_id": 99}])
    chunks = await db.read("stream", batch=2, collection="t", key="at.nr")
    assert [one["_id"] for chunk in chunks for one in chunk] == [99, 6, 5, 4, 3, 2, 1, 0]
    for projection in ({"_id": 1}, {"at.nr": 0}):
        with pytest.raises(Exception, match="by which the stream goes on"):
            await db.read("stream", collection="t", key="at.nr", projection=projection)


async def test_a_key_that_is_a_list_is_refused(db):
    await db("insert_one", collection="t", document={"k": [1, 2]})
    with pytest.raises(Exception, match="is a list"):
        await db.read("stream", collection="t", key="k")
