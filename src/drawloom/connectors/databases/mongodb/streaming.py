"""Collections of any size, read bit by bit in the order of a key."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from drawloom.connectors.databases.mongodb.connection import connector
from drawloom.connectors.databases.mongodb.filters import field_name
from drawloom.connectors.databases.mongodb.finding import (
    Filter,
    Projection,
    filter_for,
    projection_of,
)
from drawloom.connectors.databases.mongodb.inserting import Collection
from drawloom.connectors.databases.mongodb.values import documents as read_documents
from drawloom.connectors.databases.mongodb.values import from_bson, to_bson
from drawloom.errors import invalid
from drawloom.sdk import Chunk, Context, Row

if TYPE_CHECKING:
    from pymongo.asynchronous.collection import AsyncCollection

    from drawloom.connectors.databases.mongodb.client import Client

# The order of types in MongoDB. `$gt` finds values of the same type alone, so that
# those of the types behind have to be asked for.
_ORDER = (
    "null", "number", "string", "object", "array", "binData", "objectId",
    "bool", "date", "timestamp", "regex", "javascript", "maxKey",
)  # fmt: skip
_NAMES = {
    "NoneType": "null",
    **dict.fromkeys(("int", "float", "Int64", "Decimal128"), "number"),
    "str": "string",
    "dict": "object",
    "DBRef": "object",
    **dict.fromkeys(("bytes", "Binary"), "binData"),
    "ObjectId": "objectId",
    "bool": "bool",
    **dict.fromkeys(("datetime", "DatetimeMS"), "date"),
    "Timestamp": "timestamp",
    "Regex": "regex",
    "MaxKey": "maxKey",
}


@connector.tool(effect="read", encoded=True)
async def stream(
    client: Client,
    collection: Collection,
    context: Context,
    filter: Filter = None,
    projection: Projection = None,
    key: Annotated[str, Field(min_length=1, description="A field with a unique index.")] = "_id",
) -> AsyncIterator[Chunk[Row]]:
    """Read a collection of any size as a stream of documents, for a `for_each`.

    Documents come in the order of `key`, which is the cursor: a run goes on behind
    the last one that it had, and those which are added behind it meanwhile come
    too. Its values are unique and no lists; it needs an index, as `_id` has one.
    Nothing is held open on the server between two chunks.
    """
    reader = _Reader(client, collection, filter, projection, field_name(key, "key"))
    conditions: list[dict[str, Any]] = [{}]
    if context.after is not None:
        conditions = behind(reader.key, to_bson(context.after["key"], "cursor"))
    while conditions:
        found, after = await reader.read(conditions[0], context.batch)
        if found:
            yield Chunk(found, {"key": from_bson(after)})
            conditions = behind(reader.key, after)
        else:
            conditions = conditions[1:]


class _Reader:
    """Portions of a collection in the order of its key."""

    def __init__(
        self,
        client: Client,
        collection: str,
        filter: Row | None,
        projection: Row | None,
        key: str,
    ) -> None:
        self.key = key
        self._client = client
        self._target: AsyncCollection[dict[str, Any]] = client.collection(collection)
        self._filter = filter_for(client, filter)
        self._projection = projection_of(projection, client)
        shown = self._projection or {}
        if shown and not _gives(shown, key):
            raise invalid(f"projection: it must give {key!r}, by which the stream goes on")

    async def read(self, condition: dict[str, Any], most: int) -> tuple[list[Row], Any]:
        """At most so many documents that fit, and the key of the last one, as it is stored."""
        both = {"$and": [self._filter, condition]} if self._filter and condition else None
        cursor = self._target.find(
            both or self._filter or condition,
            self._projection,
            sort=[(self.key, 1)],
            limit=most,
            max_time_ms=self._client.max_time,
        )
        async with self._client.turns:
            found = await cursor.to_list()
        after = value_at(found[-1], self.key) if found else None  # before it is changed to JSON
        return read_documents(found), after


def _gives(shown: dict[str, Any], key: str) -> bool:
    if key == "_id":
        return shown.get("_id", 1) in (1, True)
    others = [way for name, way in shown.items() if name != "_id"] or [shown["_id"]]
    leaves_out = all(way in (0, False) for way in others)
    return shown.get(key) not in (0, False) if leaves_out else bool(shown.get(key))


def value_at(document: dict[str, Any], path: str) -> Any:
    """The value of the key, None where there is none."""
    found: Any = document
    for part in path.split("."):
        found = found.get(part) if isinstance(found, dict) else found
    if isinstance(found, list):
        raise invalid(f"the key {path!r} is a list in a document; a stream needs one value")
    return found


def behind(key: str, after: Any) -> list[dict[str, Any]]:
    """What follows a value of the key: those of its type, then those of the types behind."""
    name = _NAMES.get(type(after).__name__)
    if name is None:
        raise invalid(f"the key {key!r} cannot be gone on behind a {type(after).__name__}")
    later = list(_ORDER[_ORDER.index(name) + 1 :])
    same: dict[str, Any] = {"$gt": after}
    if isinstance(after, float) and math.isnan(after):  # it stands before every number
        same = {"$gte": -math.inf}
    conditions = [] if name == "null" else [{key: same}]
    return [*conditions, {key: {"$type": later}}] if later else conditions
