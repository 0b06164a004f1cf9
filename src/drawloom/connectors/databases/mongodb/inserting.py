"""Inserts that are made exactly once, however often they are asked for."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from drawloom.connectors.databases.mongodb.connection import connector
from drawloom.connectors.databases.mongodb.values import document as stored
from drawloom.connectors.databases.mongodb.values import from_bson
from drawloom.errors import Failure, FailureKind, ToolError, invalid
from drawloom.sdk import Context, Json, Row, Stream, TypedDict

if TYPE_CHECKING:
    from pymongo.asynchronous.collection import AsyncCollection

    from drawloom.connectors.databases.mongodb.client import Client

Collection = Annotated[str, Field(min_length=1, description="The name of the collection.")]

_TOLD = 10_000  # ids at most in an answer
_DUPLICATE = 11000


class Inserted(TypedDict):
    """The `_id` of the document."""

    id: Json


class InsertedMany(TypedDict):
    """How many documents there are now, and the `_id` of each (null where there are over 10,000)."""

    count: int
    ids: list[Json] | None


@connector.tool(effect="keyed")
async def insert_one(
    client: Client, collection: Collection, document: Row, context: Context
) -> Inserted:
    """Insert one document, exactly once even if the call has to be made again.

    Without an `_id` it is made from the call's own key, so that a call which is
    repeated after a crash finds its document there and adds no other. With an
    `_id`, a document that is there already and is equal counts as inserted; one
    that differs is a `conflict`.
    """
    made = _with_id(stored(document), context.key, 0)
    await _insert(client, client.collection(collection), [made])
    return {"id": from_bson(made["_id"])}


@connector.tool(effect="keyed")
async def insert_many(
    client: Client,
    collection: Collection,
    documents: Stream[Row],
    context: Context,
) -> InsertedMany:
    """Insert documents, each exactly once; see `mongodb.insert_one`.

    They are no transaction: where one is refused, those before it stay, and a
    repeated call goes on where it stood.
    """
    target = client.collection(collection)
    ids: list[Any] = []
    count = 0
    async for some in documents.chunks():
        made = [
            _with_id(stored(one, f"documents[{n}]"), context.key, n)
            for n, one in enumerate(some, count)
        ]
        await _insert(client, target, made)
        count += len(made)
        if count <= _TOLD:
            ids += [from_bson(one["_id"]) for one in made]
    return {"count": count, "ids": ids if count <= _TOLD else None}


def _with_id(made: dict[str, Any], key: str, place: int) -> dict[str, Any]:
    """The document with an `_id`, first as the server keeps it: given, or of this call alone."""
    from bson import ObjectId

    if "_id" in made:
        if isinstance(made["_id"], list):
            raise invalid("_id: a list cannot be one")
        return {"_id": made["_id"], **made}
    # Without a key (a call from Python) nothing repeats the call, and any id will do.
    digest = sha256(f"{key}:{place}".encode()).digest()[:12] if key else None
    return {"_id": ObjectId(digest), **made}


async def _insert(
    client: Client, collection: AsyncCollection[dict[str, Any]], made: list[dict[str, Any]]
) -> None:
    """Insert what is not there; what is there must be what is inserted."""
    from pymongo.errors import BulkWriteError

    async with client.turns:
        try:
            await collection.insert_many(made, ordered=False)
        except BulkWriteError as exc:
            await _settle(collection, made, exc)


async def _settle(
    collection: AsyncCollection[dict[str, Any]], made: list[dict[str, Any]], exc: Any
) -> None:
    """Go through what was refused: an earlier attempt may have put it there."""
    refused = exc.details["writeErrors"]
    if exc.details.get("writeConcernErrors") or not all(map(_is_of_id, refused)):
        raise exc
    wanted = [made[error["index"]] for error in refused]
    cursor = collection.find({"_id": {"$in": [one["_id"] for one in wanted]}})
    there = {_identity(one["_id"]): one for one in await cursor.to_list()}
    for one in wanted:
        if not _equal(there.get(_identity(one["_id"])), one):
            shown = from_bson(one["_id"])
            raise ToolError(
                Failure(
                    FailureKind.CONFLICT,
                    f"there is another document with the _id {shown!r:.120}",
                    details={"code": _DUPLICATE, "key": ["_id"]},
                )
            ) from exc


def _is_of_id(error: dict[str, Any]) -> bool:
    return bool(error["code"] == _DUPLICATE and list(error.get("keyPattern", ())) == ["_id"])


def _identity(value: Any) -> bytes:
    from bson import encode

    return encode({"v": value})


def _equal(one: Any, other: Any) -> bool:
    """Equal as the server keeps them, the order and the types of the fields included."""
    from bson import encode

    return one is not None and encode(one) == encode(other)
