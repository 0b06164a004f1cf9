"""Changing documents: update, replace, delete, and those that also give the document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from drawloom.connectors.databases.mongodb.connection import connector
from drawloom.connectors.databases.mongodb.filters import Language, filter_of
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
    done = await client.collection(collection).update_one(
        filter_for(client, filter),
        update_of(update, Language(client.javascript), args),
        upsert=upsert,
        array_filters=array_filters_of(array_filters, client),
    )
    return _updated(done)


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
    done = await client.collection(collection).update_many(
        filter_for(client, filter),
        update_of(update, Language(client.javascript), args),
        upsert=upsert,
        array_filters=array_filters_of(array_filters, client),
    )
    return _updated(done)


@connector.tool(effect="once")
async def replace_one(
    client: Client, collection: Collection, filter: Row, replacement: Row, upsert: bool = False
) -> Updated:
    """Put a document in the place of the first one that fits a filter.

    It is `once`: repeated, the filter may find another one. `mongodb.upsert` can
    be repeated.
    """
    done = await client.collection(collection).replace_one(
        filter_for(client, filter), stored(replacement, "replacement"), upsert=upsert
    )
    return _updated(done)


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
    done = await client.collection(collection).delete_one(filter_for(client, filter))
    return {"deleted": done.deleted_count}


@connector.tool(effect="idempotent")
async def delete_many(client: Client, collection: Collection, filter: Row) -> Deleted:
    """Delete every document that fits a filter; {} is all of them."""
    done = await client.collection(collection).delete_many(filter_for(client, filter))
    return {"deleted": done.deleted_count}


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
    found = await client.collection(collection).find_one_and_update(
        filter_for(client, filter),
        update_of(update, Language(client.javascript), args),
        projection_of(projection, client),
        sort_of(sort),
        upsert=upsert,
        return_document=returns == "after",
        array_filters=array_filters_of(array_filters, client),
    )
    return _one(found)


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
    found = await client.collection(collection).find_one_and_replace(
        filter_for(client, filter),
        stored(replacement, "replacement"),
        projection_of(projection, client),
        sort_of(sort),
        upsert=upsert,
        return_document=returns == "after",
    )
    return _one(found)


@connector.tool(effect="once")
async def find_one_and_delete(
    client: Client,
    collection: Collection,
    filter: Filter = None,
    sort: Sort = None,
    projection: Projection = None,
) -> OneDocument:
    """Delete the first document that fits, and give it: a queue's way to take the next."""
    found = await client.collection(collection).find_one_and_delete(
        filter_for(client, filter), projection_of(projection, client), sort_of(sort)
    )
    return _one(found)


def array_filters_of(given: list[Row] | None, client: Client) -> list[dict[str, Any]] | None:
    language = Language(client.javascript)
    if given is None:
        return None
    return [filter_of(one, language, f"array_filters[{n}]") for n, one in enumerate(given)]


def _updated(done: Any) -> Updated:
    return {
        "matched": done.matched_count,
        "modified": done.modified_count,
        "upserted_id": from_bson(done.upserted_id),
    }


def _one(found: dict[str, Any] | None) -> OneDocument:
    return {"document": from_bson(found), "found": found is not None}


def _key_of(document: dict[str, Any], key: list[str], place: int) -> dict[str, Any]:
    """The filter that finds the document by its key."""
    for name in key:
        # A list would be found by its elements, and null where the field is missing.
        if document.get(name) is None or isinstance(document[name], list) or "." in name:
            raise invalid(f"documents[{place}]: the key {name!r:.80} needs one value, not null")
    return {name: {"$eq": document[name]} for name in key}
