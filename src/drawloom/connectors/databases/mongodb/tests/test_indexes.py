"""Indexes are made once, listed and dropped."""

from __future__ import annotations

import pytest

from drawloom.errors import FailureKind

OPTIONS = [
    ({"a": 1}, {}, {"name": "a_1", "key": {"a": 1}}),
    ({"b": -1, "a": 1}, {"name": "x", "unique": True}, {"name": "x", "key": {"b": -1, "a": 1}, "unique": True}),
    ({"at": 1}, {"expire_after": 60}, {"expireAfterSeconds": 60}),
    ({"a": 1}, {"sparse": True, "hidden": True}, {"sparse": True, "hidden": True}),
    ({"a": 1}, {"partial_filter": {"n": {"$gt": 5}}}, {"partialFilterExpression": '{"n": {"$gt": 5}}'}),
    ({"$**": 1}, {}, {"key": {"$**": 1}}),
]  # fmt: skip


@pytest.mark.parametrize(("keys", "options", "told"), OPTIONS, ids=str)
async def test_an_index_is_made_once_and_dropped_once(db, keys, options, told):
    for _ in range(2):
        made = await db("create_index", collection="t", keys=keys, **options)
    found = (await db("list_indexes", collection="t"))["indexes"]
    [mine] = [one for one in found if one["name"] == made["name"]]
    assert {name: mine.get(name) for name in told} == told
    for dropped in (True, False):
        done = await db("drop_index", collection="t", name=made["name"])
        assert done == {"dropped": dropped}


async def test_an_index_of_places_finds_what_is_near(db):
    await db("create_index", collection="t", keys={"at": "2dsphere"})
    for n in range(3):
        place = {"type": "Point", "coordinates": [n, 50]}
        await db("insert_one", collection="t", document={"_id": n, "at": place})
    box = {
        "type": "Polygon",
        "coordinates": [[[-1, 49], [1.5, 49], [1.5, 51], [-1, 51], [-1, 49]]],
    }
    found = await db.all(filter={"at": {"$geoWithin": {"$geometry": box}}})
    assert [one["_id"] for one in found] == [0, 1]


async def test_a_unique_index_refuses_a_second(db):
    await db("create_index", collection="t", keys={"email": 1}, unique=True)
    await db("insert_one", collection="t", document={"email": "a@example.org"})
    failure = await db.failure("insert_one", collection="t", document={"email": "a@example.org"})
    assert (failure.kind, failure.details["key"]) == (FailureKind.CONFLICT, ["email"])


async def test_an_index_with_other_options_is_a_conflict(db):
    await db("create_index", collection="t", keys={"a": 1})
    failure = await db.failure("create_index", collection="t", keys={"a": 1}, unique=True)
    assert failure.kind is FailureKind.CONFLICT


async def test_nothing_is_listed_where_nothing_is(db):
    assert await db("list_indexes", collection="nowhere") == {"indexes": []}
    assert await db("drop_index", collection="nowhere", name="a_1") == {"dropped": False}
    for name in ("*", "_id_"):
        failure = await db.failure("drop_index", collection="t", name=name)
        assert failure.kind is FailureKind.INVALID
