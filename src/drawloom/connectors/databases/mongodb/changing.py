"""Changing documents: update, replace, delete, and those that also give the document."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import Field

from drawloom.connectors.databases.mongodb.connection import connector
from drawloom.connectors.databases.mongodb.filters import filter_of
from drawloom.connectors.databases.mongodb.finding import (
    Filter,
    OneDocument,
    Projection,
    Sort,
    filter_for,
    projection_of,
    sort_of,
)
from drawloom.connectors.databases.mongodb.inserting import Collection
from drawloom.connectors.databases.mongodb.updates import update_of
from drawloom.connectors.databases.mongodb.values import document as stored
from drawloom.connectors.databases.mongodb.values import from_bson
from drawloom.errors import invalid
from drawloom.sdk import Json, Row, Stream, TypedDict

if TYPE_CHECKING:
    from drawloom.connectors.databases.mongodb.client import Client

Update = Annotated[
    Row | list[Row],
    Field(description='Operators, {"$set": {"paid": true}}; or stages, with `args` bound.'),
]
ArrayFilters = Annotated[
    list[Row] | None, Field(description="What `$[name]` stands for: a filter of `name` each.")
]
Args = Annotated[Row | None, Field(description='The values of {"$arg": name}, by name.')]
Returned = Literal["before", "after"]


class Updated(TypedDict):
    """How many documents fitted, and how many are different now."""

    matched: int
    modified: int
    upserted_id: Json


class Deleted(TypedDict):
    """How many documents are gone."""

    deleted: int


class Upserted(TypedDict):
    """How many documents are there now, and how many of them were not before."""

    count: int
    inserted: int


@connector.tool(effect="once")
async def update_one(
    client: Client,
    collection: Collection,
    filter: Row,
    update: Update,
    upsert: bool = False,
    array_filters: ArrayFilters = None,
    args: Args = None,
) -> Updated:
    """Change the first document that fits a filter.

    It is `once`: `$inc` and `$push` add again when they are repeated, and a filter
    that the change itself makes untrue finds another document.
    """
    change = change_of(client, update, args, array_filters)
    return await _updated(client, client.collection(collection).update_one, filter, change, upsert)


@connector.tool(effect="once")
async def update_many(
    client: Client,
    collection: Collection,
    filter: Row,
    update: Update,
    upsert: bool = False,
    array_filters: ArrayFilters = None,
    args: Args = None,
) -> Updated:
    """Change every document that fits a filter; they are no transaction."""
    change = change_of(client, update, args, array_filters)
    return await _updated(
        client, client.collection(collection).update_many, filter, change, upsert
    )


@connector.tool(effect="once")
async def replace_one(
    client: Client, collection: Collection, filter: Row, replacement: Row, upsert: bool = False
) -> Updated:
    """Put a document in the place of the first one that fits a filter.

    It is `once`: repeated, the filter may find another one. `mongodb.upsert` can
    be repeated.
    """
    change = {"replacement": stored(replacement, "replacement")}
    return await _updated(
        client, client.collection(collection).replace_one, filter, change, upsert
    )


@connector.tool(effect="idempotent")
async def upsert(
    client: Client,
    collection: Collection,
    documents: Stream[Row],
    key: Annotated[list[str], Field(min_length=1, description="The fields that name one.")],
) -> Upserted:
    """Put documents in, each in the place of the one with the same key, if there is one.

    Repeating it leaves the same documents. The key wants a unique index (as `_id`
    has one): without it two calls at once may both insert.
    """
    from pymongo import ReplaceOne

    target = client.collection(collection)
    count = inserted = 0
    async for some in documents.chunks():
        rows = [(n, stored(one, f"documents[{n}]")) for n, one in enumerate(some, count)]
        writes = [ReplaceOne(_key_of(one, key, n), one, upsert=True) for n, one in rows]
        async with client.turns:
            done = await target.bulk_write(writes, ordered=True)
        count += len(rows)
        inserted += done.upserted_count
    return {"count": count, "inserted": inserted}


@connector.tool(effect="once")
async def delete_one(client: Client, collection: Collection, filter: Row) -> Deleted:
    """Delete the first document that fits a filter.

    It is `once`: repeated, it would delete the next. `mongodb.delete_many` by a
    key can be repeated.
    """
    return await _deleted(client, client.collection(collection).delete_one, filter)


@connector.tool(effect="idempotent")
async def delete_many(client: Client, collection: Collection, filter: Row) -> Deleted:
    """Delete every document that fits a filter; {} is all of them."""
    return await _deleted(client, client.collection(collection).delete_many, filter)


@connector.tool(effect="once")
async def find_one_and_update(
    client: Client,
    collection: Collection,
    filter: Row,
    update: Update,
    sort: Sort = None,
    projection: Projection = None,
    upsert: bool = False,
    returns: Returned = "before",
    array_filters: ArrayFilters = None,
    args: Args = None,
) -> OneDocument:
    """Change the first document that fits, and give it as it was before or is after."""
    change = change_of(client, update, args, array_filters)
    change |= {"upsert": upsert, "return_document": returns == "after"}
    call = client.collection(collection).find_one_and_update
    return await _one(client, call, filter, sort, projection, change)


@connector.tool(effect="once")
async def find_one_and_replace(
    client: Client,
    collection: Collection,
    filter: Row,
    replacement: Row,
    sort: Sort = None,
    projection: Projection = None,
    upsert: bool = False,
    returns: Returned = "before",
) -> OneDocument:
    """Replace the first document that fits, and give the old or the new one."""
    change: dict[str, Any] = {"replacement": stored(replacement, "replacement")}
    change |= {"upsert": upsert, "return_document": returns == "after"}
    call = client.collection(collection).find_one_and_replace
    return await _one(client, call, filter, sort, projection, change)


@connector.tool(effect="once")
async def find_one_and_delete(
    client: Client,
    collection: Collection,
    filter: Filter = None,
    sort: Sort = None,
    projection: Projection = None,
) -> OneDocument:
    """Delete the first document that fits, and give it: a queue's way to take the next."""
    call = client.collection(collection).find_one_and_delete
    return await _one(client, call, filter, sort, projection, {})


def change_of(
    client: Client, update: Row | list[Row], args: Row | None, array_filters: list[Row] | None
) -> dict[str, Any]:
    """What the driver's updates take, by name."""
    language = client.language
    filters = array_filters and [
        filter_of(one, language, f"array_filters[{n}]") for n, one in enumerate(array_filters)
    ]
    return {"update": update_of(update, language, args), "array_filters": filters}


Call: TypeAlias = Callable[..., Awaitable[Any]]  # one of the driver's own functions


async def _updated(
    client: Client, call: Call, filter: Row, change: dict[str, Any], upsert: bool
) -> Updated:
    fitting = filter_for(client, filter)
    async with client.turns:
        done = await call(fitting, **change, upsert=upsert)
    return {
        "matched": done.matched_count,
        "modified": done.modified_count,
        "upserted_id": from_bson(done.upserted_id),
    }


async def _deleted(client: Client, call: Call, filter: Row) -> Deleted:
    fitting = filter_for(client, filter)
    async with client.turns:
        done = await call(fitting)
    return {"deleted": done.deleted_count}


async def _one(
    client: Client,
    call: Call,
    filter: Row | None,
    sort: Row | None,
    projection: Row | None,
    change: dict[str, Any],
) -> OneDocument:
    fitting, order = filter_for(client, filter), sort_of(sort)
    shown = projection_of(projection, client)
    async with client.turns:
        found = await call(fitting, **change, projection=shown, sort=order)
    return {"document": from_bson(found), "found": found is not None}


def _key_of(document: dict[str, Any], key: list[str], place: int) -> dict[str, Any]:
    """The filter that finds the document by its key."""
    for name in key:
        # A list would be found by its elements, and null where the field is missing.
        if document.get(name) is None or isinstance(document[name], list) or "." in name:
            raise invalid(f"documents[{place}]: the key {name!r:.80} needs one value, not null")
    return {name: {"$eq": document[name]} for name in key}
