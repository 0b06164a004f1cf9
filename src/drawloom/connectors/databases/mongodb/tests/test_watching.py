"""Changes come once, in their order, and are gone on with where a reader stood."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from drawloom.connectors.databases.mongodb import connector
from drawloom.sdk import Context, name_fault

WATCH = connector.tools["mongodb.watch"]


async def events(db: Any, after: Any = None, batch: int = 100, **given: Any) -> list[Any]:
    """The chunks of events, of a stream that is read to its end."""
    context = Context(after=after, batch=batch)
    stream = WATCH.function(db.client, collection="t", context=context, **given)
    return [chunk async for chunk in stream]


async def watching(db: Any, doing: Any, **given: Any) -> list[Any]:
    """Events of what *doing* does, which begins when the stream is open."""
    task = asyncio.create_task(events(db, **given))
    while not task.done():
        await doing()  # an event before the stream is open is none of its own
        await asyncio.sleep(0)
    return await task


@pytest.fixture
async def marked(db, raw):
    """A collection, and the token of a place in its history."""
    with raw["t"].watch(max_await_time_ms=10) as stream:
        raw["t"].insert_one({"_id": "mark"})
        token = next(stream)["_id"]
    return db, token


async def test_events_behind_a_token(marked):
    db, token = marked
    for n in range(5):
        await db("insert_one", collection="t", document={"_id": n})
    await db("update_one", collection="t", filter={"_id": {"$eq": 1}}, update={"$set": {"a": 1}})
    await db("delete_one", collection="t", filter={"_id": {"$eq": 2}})
    chunks = await events(db, resume=token, wait=0, batch=3)
    found = [event for chunk in chunks for event in chunk.items]
    assert [one["operationType"] for one in found] == ["insert"] * 5 + ["update", "delete"]
    assert [one["documentKey"]["_id"] for one in found] == [0, 1, 2, 3, 4, 1, 2]
    assert [len(chunk.items) for chunk in chunks] == [3, 3, 1]
    rest = await events(db, after=chunks[0].after, wait=0)
    assert [e["documentKey"]["_id"] for chunk in rest for e in chunk.items] == [3, 4, 1, 2]


async def test_limit_and_a_match_bound_it(marked):
    db, token = marked
    for n in range(6):
        await db("insert_one", collection="t", document={"_id": n, "even": n % 2 == 0})
    match = [{"$match": {"fullDocument.even": {"$eq": True}}}]
    chunks = await events(db, resume=token, wait=60, limit=2, batch=1, pipeline=match)
    assert [e["documentKey"]["_id"] for chunk in chunks for e in chunk.items] == [0, 2]
    assert chunks[-1].after["left"] == 0
    assert await events(db, after=chunks[-1].after) == []


async def test_without_a_token_it_begins_now(db):
    async def insert() -> None:
        await db("insert_one", collection="t", document={})

    [chunk] = await watching(db, insert, limit=1, wait=60)
    assert chunk.items[0]["operationType"] == "insert"


async def test_a_pipeline_of_it_has_few_stages(db):
    for stage in ({"$limit": 1}, {"$out": "u"}, {"$group": {"_id": 1}}):
        with pytest.raises(Exception, match="pipeline"):
            await events(db, pipeline=[stage])


async def test_a_token_that_is_none(db):
    with pytest.raises(Exception, match=r".") as raised:
        await events(db, resume={"_data": "nonsense"}, wait=0)
    assert name_fault(connector.faults, raised.value).kind in ("invalid", "conflict")
