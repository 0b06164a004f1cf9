"""Who may use a connection now, and who waits: in order, for a limited time, and for nobody else."""

from __future__ import annotations

import asyncio

import pytest

from drawloom.connectors.databases.mongodb.client import Turns
from drawloom.connectors.databases.mongodb.finding import _first, find
from drawloom.connectors.databases.mongodb.inserting import insert_many
from drawloom.connectors.databases.mongodb.streaming import stream
from drawloom.errors import FailureKind, ToolError
from drawloom.sdk import Context, Stream

ALONE = pytest.mark.parametrize("settings", [{"max_connections": 1, "acquire_timeout": 5.0}])


async def test_they_come_in_order_and_never_more_than_there_are():
    turns = Turns(2, 60.0)
    came: list[int] = []
    inside = most = 0

    async def one(number: int) -> None:
        nonlocal inside, most
        async with turns:
            came.append(number)
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(one(number) for number in range(9)))
    assert (came, most) == (list(range(9)), 2)


async def test_nothing_was_done_where_no_turn_came():
    turns = Turns(1, 0.01)
    async with turns:
        with pytest.raises(ToolError, match="raise max_connections") as raised:
            await turns.__aenter__()
    failure = raised.value.failure
    assert (failure.kind, failure.harmless) == (FailureKind.THROTTLED, True)
    async with turns:
        """What waited in vain has taken nothing away."""


@ALONE
async def test_a_stream_holds_no_connection_while_its_reader_works(db):
    """Else a chain that reads and writes one database would wait for itself."""
    await db.taking("insert_many", collection="t", documents=[{"_id": n} for n in range(4)])
    async for chunk in stream.function(db.client, "t", Context(batch=2)):
        assert (await find.function(db.client, "t"))["count"] == 4
        assert len(chunk.items) == 2


@ALONE
async def test_an_insert_holds_no_connection_while_it_waits_for_documents(db, raw):
    raw["t"].insert_many([{"_id": n} for n in range(4)])

    async def copied():
        async for chunk in stream.function(db.client, "t", Context(batch=2)):
            yield chunk.items

    done = await insert_many.function(db.client, "copies", Stream(copied()), Context(key="k"))
    assert (done["count"], raw["copies"].count_documents({})) == (4, 4)


@ALONE
async def test_a_write_that_fails_gives_its_turn_back(db, raw):
    raw["t"].create_index("a", unique=True)
    for number in range(3):
        given = {"collection": "t", "document": {"_id": number, "a": 1}}
        if number == 0:
            await db("insert_one", **given)
        else:
            assert (await db.failure("insert_one", **given)).kind is FailureKind.CONFLICT


@pytest.mark.parametrize("settings", [{"read_concern": "majority", "timeout": 2.0}])
async def test_one_document_is_asked_for_as_many_are(db):
    """It is a command of its own, in which nothing of the connection's settings may be lost."""
    await db(
        "insert_one", collection="t", document={"_id": 1, "on": {"$date": "2026-05-01T00:00:00Z"}}
    )
    assert await db("find_one", collection="t") == {
        "document": (await db.all())[0],
        "found": True,
    }
    asked = _first(db.client, "t", {"_id": {"$eq": 1}}, {"on": 1}, {"on": -1})
    assert asked == {
        "find": "t",
        "filter": {"_id": {"$eq": 1}},
        "projection": {"on": 1},
        "sort": {"on": -1},
        "limit": 1,
        "singleBatch": True,
        "maxTimeMS": 2_000,
        "readConcern": {"level": "majority"},
    }
