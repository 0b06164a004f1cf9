"""Pipelines: what they give, what they may not do, and how they are read on."""

from __future__ import annotations

import pytest

from drawloom.errors import FailureKind


@pytest.fixture
async def sales(db):
    documents = [{"_id": n, "region": f"r{n % 5}", "total": n} for n in range(50)]
    await db.taking("insert_many", collection="sales", documents=documents)
    await db("insert_one", collection="regions", document={"_id": "r1", "name": "north"})
    return db


GROUP = {"$group": {"_id": "$region", "total": {"$sum": "$total"}}}


@pytest.mark.parametrize(
    ("pipeline", "args", "found"),
    [
        (
            [GROUP, {"$sort": {"total": -1}}, {"$limit": 1}],
            {},
            [{"_id": "r4", "total": 265}],
        ),
        (
            [{"$match": {"region": {"$eq": "r1"}, "$expr": {"$gt": ["$total", {"$arg": "n"}]}}}, {"$count": "n"}],
            {"n": 40},
            [{"n": 2}],
        ),
        (
            [{"$facet": {"low": [{"$match": {"total": {"$lt": 2}}}, {"$count": "n"}], "all": [{"$count": "n"}]}}],
            {},
            [{"low": [{"n": 2}], "all": [{"n": 50}]}],
        ),
        (
            [{"$limit": 2}, {"$lookup": {"from": "regions", "localField": "region", "foreignField": "_id", "as": "r"}},
             {"$project": {"r": 1}}],
            {},
            [{"_id": 0, "r": []}, {"_id": 1, "r": [{"_id": "r1", "name": "north"}]}],
        ),
        (
            [{"$limit": 1}, {"$project": {"_id": 0, "at": {"$date": "2026-01-01T00:00:00Z"}, "v": {"$literal": "$x"}}}],
            {},
            [{"at": {"$date": "2026-01-01T00:00:00Z"}, "v": "$x"}],
        ),
    ],
    ids=range(5),
)  # fmt: skip
async def test_a_pipeline(sales, pipeline, args, found):
    done = await sales("aggregate", collection="sales", pipeline=pipeline, args=args)
    assert done == {"documents": found, "count": len(found), "truncated": False}


async def test_limit_tells_the_truth(sales):
    done = await sales("aggregate", collection="sales", pipeline=[GROUP], limit=4)
    assert (done["count"], done["truncated"]) == (4, True)
    done = await sales("aggregate", collection="sales", pipeline=[GROUP], limit=5)
    assert (done["count"], done["truncated"]) == (5, False)


@pytest.mark.parametrize("settings", [{"max_documents": 49}])
async def test_too_many_results_are_an_error(sales):
    failure = await sales.failure("aggregate", collection="sales", pipeline=[{"$match": {}}])
    assert "max_documents" in failure.message


@pytest.mark.parametrize(
    "pipeline",
    [
        [{"$out": "u"}],
        [{"$merge": {"into": "u"}}],
        [{"$facet": {"a": [{"$out": "u"}]}}],
        [{"$lookup": {"from": "regions", "pipeline": [{"$merge": "u"}], "as": "r"}}],
        [{"$unionWith": {"coll": "regions", "pipeline": [{"$out": "u"}]}}],
        [{"$currentOp": {}}],
        [{"$changeStream": {}}],
        [{"$limit": 1, "$out": "u"}],
        [{"$limit": "1"}],
    ],
    ids=str,
)
async def test_a_reading_tool_neither_writes_nor_runs_what_is_unknown(sales, raw, pipeline):
    failure = await sales.failure("aggregate", collection="sales", pipeline=pipeline)
    assert failure.kind is FailureKind.INVALID
    with pytest.raises(Exception, match="pipeline"):
        await sales.read("stream_aggregate", collection="sales", pipeline=pipeline)
    assert sorted(raw.list_collection_names()) == ["regions", "sales"]


async def test_a_pipeline_writes_into_a_collection(sales):
    for last in ({"$out": "sums"}, {"$merge": {"into": "sums", "whenMatched": "replace"}}):
        done = await sales("aggregate_into", collection="sales", pipeline=[GROUP, last])
        assert done == {"done": True}
        assert (await sales.all("sums"))[0] == {"_id": "r0", "total": 225}
    for pipeline in ([], [GROUP], [{"$out": "u"}, GROUP], [{"$out": {"db": "x", "coll": "u"}}]):
        failure = await sales.failure("aggregate_into", collection="sales", pipeline=pipeline)
        assert failure.kind is FailureKind.INVALID


@pytest.mark.parametrize("batch", [1, 2, 100])
async def test_results_come_as_a_stream_that_goes_on(sales, batch):
    chunks = await sales.read("stream_aggregate", batch, collection="sales", pipeline=[GROUP])
    assert [one["_id"] for chunk in chunks for one in chunk] == ["r0", "r1", "r2", "r3", "r4"]
    assert max(map(len, chunks)) == min(batch, 5)


async def test_a_pipeline_that_the_server_does_not_understand(sales):
    for pipeline in ([{"$project": {"a": {"$nope": 1}}}], [{"$group": {"a": 1}}]):
        failure = await sales.failure("aggregate", collection="sales", pipeline=pipeline)
        assert failure.kind is FailureKind.INVALID, failure
