"""Aggregation pipelines, as data: read as a whole, bit by bit, or into a collection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from drawloom.connectors.databases.mongodb.changing import Args
from drawloom.connectors.databases.mongodb.connection import connector
from drawloom.connectors.databases.mongodb.filters import field_name
from drawloom.connectors.databases.mongodb.finding import Documents
from drawloom.connectors.databases.mongodb.inserting import Collection
from drawloom.connectors.databases.mongodb.pipelines import reading_pipeline, writing_pipeline
from drawloom.connectors.databases.mongodb.streaming import behind, value_at
from drawloom.connectors.databases.mongodb.values import documents as read_documents
from drawloom.connectors.databases.mongodb.values import from_bson, to_bson
from drawloom.sdk import Chunk, Context, Row, TypedDict

if TYPE_CHECKING:
    from drawloom.connectors.databases.mongodb.client import Client

Pipeline = Annotated[
    list[Row], Field(description='Stages. A value of an expression is {"$arg": name}.')
]
Disk = Annotated[bool, Field(description="Let the server sort and group on its disk.")]


class Done(TypedDict):
    """The pipeline has run to its end."""

    done: bool


@connector.tool(effect="read", encoded=True)
async def aggregate(
    client: Client,
    collection: Collection,
    pipeline: Pipeline,
    args: Args = None,
    limit: Annotated[int | None, Field(ge=0, description="Documents at most.")] = None,
    disk: Disk = True,
) -> Documents:
    """Run a pipeline that only looks: `$out` and `$merge` are refused.

    In expressions a value comes by {"$arg": name} from `args` and is never read as
    a field or an operator; in `$match` it stands under its operator. Bounded as
    `mongodb.find` is.
    """
    stages = reading_pipeline(pipeline, client.language, args or {})
    most = client.settings.max_documents if limit is None else limit
    target = client.collection(collection)
    async with (
        client.turns,
        await target.aggregate(stages, allowDiskUse=disk, maxTimeMS=client.max_time) as cursor,
    ):
        found = await cursor.to_list(most + 1)
    if limit is None:
        client.within(len(found))
    documents = read_documents(found[:most])
    return {"documents": documents, "count": len(documents), "truncated": len(found) > most}


@connector.tool(effect="read", encoded=True)
async def stream_aggregate(
    client: Client,
    collection: Collection,
    pipeline: Pipeline,
    context: Context,
    args: Args = None,
    key: Annotated[str, Field(min_length=1, description="A field that names a result.")] = "_id",
    disk: Disk = True,
) -> AsyncIterator[Chunk[Row]]:
    """Read the results of a pipeline as a stream, in the order of a key, for a `for_each`.

    The key is the cursor: after a crash the pipeline runs again, and goes on behind
    the last result that was had. Its values are unique and no lists.
    """
    stages = reading_pipeline(pipeline, client.language, args or {})
    field_name(key, "key")
    if context.after is not None:
        rest = behind(key, to_bson(context.after["key"], "cursor"))
        stages.append({"$match": {"$or": rest} if rest else {"$expr": False}})
    stages.append({"$sort": {key: 1}})
    cursor = await client.collection(collection).aggregate(
        stages, allowDiskUse=disk, batchSize=context.batch, maxTimeMS=client.max_time
    )
    async with cursor:
        while found := await cursor.to_list(context.batch):
            after = value_at(found[-1], key)
            yield Chunk(read_documents(found), {"key": from_bson(after)})


@connector.tool(effect="once")
async def aggregate_into(
    client: Client,
    collection: Collection,
    pipeline: Pipeline,
    args: Args = None,
    disk: Disk = True,
) -> Done:
    """Run a pipeline whose last stage, `$out` or `$merge`, writes to this database.

    It is `once`: what it reads may have changed when it is repeated, and `$merge`
    may add to what it has added.
    """
    stages: list[dict[str, Any]] = writing_pipeline(pipeline, client.language, args or {})
    cursor = await client.collection(collection).aggregate(stages, allowDiskUse=disk)
    await cursor.close()
    return {"done": True}
