"""What the tools would do, by asking the server how many documents fit; nothing is changed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from drawloom.connectors.databases.mongodb import (
    aggregating,
    changing,
    finding,
    indexes,
    inserting,
    streaming,
    watching,
)
from drawloom.connectors.databases.mongodb.changing import change_of
from drawloom.connectors.databases.mongodb.finding import filter_for
from drawloom.connectors.databases.mongodb.operations import bulk_write, checked_write, transaction
from drawloom.connectors.databases.mongodb.pipelines import (
    reading_pipeline,
    target_of,
    writing_pipeline,
)
from drawloom.connectors.databases.mongodb.values import document as stored
from drawloom.sdk import Row
from drawloom.sdk.planning import Does, Touch

if TYPE_CHECKING:
    from drawloom.connectors.databases.mongodb.client import Client

_FAR = 100_000  # documents; beyond, nobody needs to know exactly before a run


async def counted(
    client: Client, does: Does, collection: str, fitting: dict[str, Any], most: int = _FAR
) -> Touch:
    """A touch of the documents that fit, as many as the tool would touch."""
    target = client.collection(collection)
    found = await target.count_documents(fitting, limit=most, maxTimeMS=client.max_time)
    return Touch(does, f"documents of {collection}", found, estimated=found == _FAR)


def _planner(does: Does, most: int = _FAR) -> Callable[..., Awaitable[list[Touch]]]:
    """A planner that counts what fits `filter`, up to what the tool would touch."""

    async def plan(
        client: Client, collection: str, filter: Row | None = None, **given: Any
    ) -> list[Touch]:
        if "update" in given:  # what is wrong with it is said before the run
            change_of(client, given["update"], given.get("args"), given.get("array_filters"))
        found = await counted(client, does, collection, filter_for(client, filter), most)
        if given.get("upsert") and not found.count:
            return [_added("creates", collection, 1)]
        return [found]

    return plan


for _tool in (finding.find, finding.count, finding.distinct, streaming.stream):
    _tool.plan(_planner("reads"))
finding.find_one.plan(_planner("reads", 1))
_PLANS = {
    "update_one": _planner("changes", 1),
    "update_many": _planner("changes"),
    "replace_one": _planner("changes", 1),
    "delete_one": _planner("deletes", 1),
    "delete_many": _planner("deletes"),
}
for _name, _plan in _PLANS.items():
    getattr(changing, _name).plan(_plan)
for _tool in (changing.find_one_and_update, changing.find_one_and_replace):
    _tool.plan(_planner("changes", 1))
changing.find_one_and_delete.plan(_planner("deletes", 1))


@inserting.insert_one.plan
async def _insert_one(client: Client, collection: str, document: Row) -> list[Touch]:
    stored(document)
    client.collection(collection)
    return [_added("creates", collection, 1)]


@inserting.insert_many.plan
async def _insert_many(client: Client, collection: str, documents: Any) -> list[Touch]:
    client.collection(collection)
    return [_added("creates", collection, _how_many(documents))]


@changing.upsert.plan
async def _upsert(client: Client, collection: str, documents: Any, key: list[str]) -> list[Touch]:
    client.collection(collection)
    return [_added("changes", f"{collection}, or creates them", _how_many(documents))]


def _added(does: Does, collection: str, count: int | None) -> Touch:
    return Touch(does, f"documents of {collection}", count)


def _how_many(documents: Any) -> int | None:
    """None where they are a stream, whose end nobody knows."""
    if not isinstance(documents, list):
        return None
    for place, one in enumerate(documents):
        stored(one, f"documents[{place}]")
    return len(documents)


@bulk_write.plan
async def _bulk_write(
    client: Client, collection: str, operations: list[Any], **_: Any
) -> list[Touch]:
    return await _operations(client, [{**one, "collection": collection} for one in operations])


async def _operations(client: Client, operations: list[Any]) -> list[Touch]:
    """Each as if it were alone: what one of them leaves to the next is not looked at."""
    told: list[Touch] = []
    for place, one in enumerate(operations):
        checked_write(one, client, f"operations[{place}]")
        if one["op"] == "insert_one":
            told += await _insert_one(client, one["collection"], one["document"])
        else:
            told += await _PLANS[one["op"]](client, **{k: v for k, v in one.items() if k != "op"})
    return told


transaction.plan(_operations)


@aggregating.aggregate.plan
@aggregating.stream_aggregate.plan
async def _aggregate(
    client: Client, collection: str, pipeline: list[Row], args: Row | None = None, **_: Any
) -> list[Touch]:
    return await _read(client, collection, reading_pipeline(pipeline, client.language, args or {}))


@aggregating.aggregate_into.plan
async def _aggregate_into(
    client: Client, collection: str, pipeline: list[Row], args: Row | None = None, **_: Any
) -> list[Touch]:
    stages = writing_pipeline(pipeline, client.language, args or {})
    told = await _read(client, collection, stages)
    target = target_of(stages[-1])
    if "$merge" in stages[-1]:
        return [*told, _added("changes", f"{target}, or creates them", None)]
    gone = await counted(client, "deletes", target, {})
    return [*told, gone, _added("creates", target, None)]


async def _read(client: Client, collection: str, stages: list[dict[str, Any]]) -> list[Touch]:
    """What the pipeline begins with; other collections that it looks into are not counted."""
    fitting = stages[0].get("$match", {}) if stages else {}
    return [await counted(client, "reads", collection, fitting)]


@watching.watch.plan
async def _watch(client: Client, collection: str, **_: Any) -> list[Touch]:
    client.collection(collection)
    return [Touch("reads", f"changes of {collection}, as they come")]


@indexes.list_indexes.plan
async def _list_indexes(client: Client, collection: str) -> list[Touch]:
    return [Touch("reads", f"indexes of {collection}", len(await _indexes(client, collection)))]


@indexes.create_index.plan
async def _create_index(
    client: Client, collection: str, keys: dict[str, Any], name: str | None = None, **_: Any
) -> list[Touch]:
    wanted = name or "_".join(f"{field}_{way}" for field, way in keys.items())
    if wanted in await _indexes(client, collection):
        why = "it is, so nothing is made, or it is a conflict"
        return [Touch("reads", f"whether the index {wanted} of {collection} is there: {why}")]
    read = await counted(client, "reads", collection, {})
    return [read, Touch("creates", f"the index {wanted} of {collection}")]


@indexes.drop_index.plan
async def _drop_index(client: Client, collection: str, name: str) -> list[Touch]:
    if name not in await _indexes(client, collection):
        why = "it is not, so nothing is dropped"
        return [Touch("reads", f"whether the index {name} of {collection} is there: {why}")]
    return [Touch("deletes", f"the index {name} of {collection}")]


async def _indexes(client: Client, collection: str) -> list[str]:
    listed = await indexes.list_indexes.function(client, collection)
    return [one["name"] for one in listed["indexes"]]
