"""An insert is made once, however often it is asked for."""

from __future__ import annotations

from drawloom.errors import FailureKind


async def test_a_document_goes_in_and_comes_out(db):
    done = await db("insert_one", collection="t", document={"_id": 1, "a": {"b": [1, None, "é"]}})
    assert done == {"id": 1}
    assert await db.all() == [{"_id": 1, "a": {"b": [1, None, "é"]}}]


async def test_the_same_key_inserts_once(db):
    first = await db("insert_one", idempotency="run/step#1", collection="t", document={"a": 1})
    again = await db("insert_one", idempotency="run/step#1", collection="t", document={"a": 1})
    other = await db("insert_one", idempotency="run/step[1]#1", collection="t", document={"a": 1})
    assert first == again
    assert first != other
    assert len(await db.all()) == 2


async def test_without_a_key_every_call_inserts(db):
    for _ in range(2):
        await db("insert_one", collection="t", document={"a": 1})
    assert len(await db.all()) == 2


async def test_an_id_that_is_there_is_a_conflict_unless_it_is_the_same(db):
    for _ in range(2):
        await db("insert_one", collection="t", document={"a": 1, "_id": "x"})
    failure = await db.failure("insert_one", collection="t", document={"_id": "x", "a": 2})
    assert failure.kind is FailureKind.CONFLICT
    assert "_id 'x'" in failure.message
    assert await db.all() == [{"_id": "x", "a": 1}]


async def test_a_half_done_insert_of_many_is_made_whole(db):
    documents = [{"n": n} for n in range(10)]
    await db.taking("insert_many", idempotency="k", collection="t", documents=documents[:4])
    done = await db.taking("insert_many", idempotency="k", collection="t", documents=documents)
    assert done["count"] == 10
    assert sorted(one["n"] for one in await db.all()) == list(range(10))
