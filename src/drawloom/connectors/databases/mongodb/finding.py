"""Looking: find, find_one, count, distinct, and collections of any size as a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from drawloom.connectors.databases.mongodb.connection import connector
from drawloom.connectors.databases.mongodb.filters import field_name, filter_of
from drawloom.connectors.databases.mongodb.inserting import Collection
from drawloom.connectors.databases.mongodb.values import documents as read_documents
from drawloom.connectors.databases.mongodb.values import from_bson
from drawloom.errors import invalid
from drawloom.sdk import Json, Row, TypedDict

if TYPE_CHECKING:
    from drawloom.connectors.databases.mongodb.client import Client

Filter = Annotated[
    Row | None,
    Field(description='Conditions by field: {"total": {"$gte": 100}}. Operators are named.'),
]
Projection = Annotated[
    Row | None, Field(description="Fields to give (1) or to leave out (0), by name.")
]
Sort = Annotated[Row | None, Field(description="1 (up) or -1 (down) by field, the first first.")]


class Documents(TypedDict):
    """What was found. `truncated` says that `limit` cut it off."""

    documents: list[Row]
    count: int
    truncated: bool


class OneDocument(TypedDict):
    """The document, or null."""

    document: Row | None
    found: bool


@connector.tool(effect="read", encoded=True)
async def find(
    client: Client,
    collection: Collection,
    filter: Filter = None,
    projection: Projection = None,
    sort: Sort = None,
    skip: Annotated[int, Field(ge=0)] = 0,
    limit: Annotated[int | None, Field(ge=0, description="Documents at most.")] = None,
) -> Documents:
    """Find documents of a collection.

    Types that JSON lacks come as Extended JSON: {"$oid": …}, {"$date": …},
    {"$numberDecimal": …}. Without `limit`, more than the connection's
    `max_documents` are an error; `truncated` is true only where there were more
    than `limit`.
    """
    most = client.settings.max_documents if limit is None else limit
    cursor = client.collection(collection).find(
        filter_for(client, filter),
        projection_of(projection, client),
        skip=skip,
        limit=most + 1,
        sort=sort_of(sort),
        max_time_ms=client.max_time,
    )
    async with client.turns:
        found = await cursor.to_list()
    if limit is None:
        client.within(len(found))
    documents = read_documents(found[:most])
    return {"documents": documents, "count": len(documents), "truncated": len(found) > most}


@connector.tool(effect="read", encoded=True)
async def find_one(
    client: Client,
    collection: Collection,
    filter: Filter = None,
    projection: Projection = None,
    sort: Sort = None,
) -> OneDocument:
    """Find the first document that fits, or none."""
    first = _first(client, collection, filter, projection, sort)
    # A command by itself: a cursor, for one document, costs the driver a tenth of the call.
    async with client.turns:
        answer = await client.database.command(first, codec_options=client.database.codec_options)
    found = read_documents(answer["cursor"]["firstBatch"])
    return {"document": found[0] if found else None, "found": bool(found)}


def _first(
    client: Client, collection: str, filter: Row | None, projection: Row | None, sort: Row | None
) -> dict[str, Any]:
    """The command of the server that finds one document, with all that is to be said in it."""
    given = {
        "find": client.collection(collection).name,
        "filter": filter_for(client, filter),
        "projection": projection_of(projection, client),
        "sort": dict(sort_of(sort) or ()),
        "limit": 1,
        "singleBatch": True,
        "maxTimeMS": client.max_time,
        "readConcern": client.database.read_concern.document,
    }
    return {name: value for name, value in given.items() if value or name == "filter"}


def filter_for(client: Client, given: Row | None, where: str = "filter") -> dict[str, Any]:
    """The filter as the driver takes it; without one, everything."""
    found: dict[str, Any] = filter_of(given or {}, client.language, where)
    return found


def projection_of(given: Row | None, client: Client) -> dict[str, Any] | None:
    """Which fields to give. Expressions are for `mongodb.aggregate`."""
    if given is None:
        return None
    return {field_name(k, "projection"): _shown(v, client, k) for k, v in given.items()}


def _shown(given: Any, client: Client, name: str) -> Any:
    if given in (0, 1) and not isinstance(given, float):
        return given
    if isinstance(given, dict) and len(given) == 1:
        [(operator, operand)] = given.items()
        if operator == "$slice" and _is_slice(operand):
            return given
        if operator == "$elemMatch":
            return {operator: filter_for(client, operand, f"projection.{name}")}
        if given == {"$meta": "textScore"}:
            return given
    raise invalid(f"projection.{name}: it takes 1, 0, $slice or $elemMatch")


def _is_slice(operand: Json) -> bool:
    numbers = operand if isinstance(operand, list) else [operand]
    return 1 <= len(numbers) <= 2 and all(type(n) is int for n in numbers)


def sort_of(given: Row | None, where: str = "sort") -> list[tuple[str, Any]] | None:
    """The order, as the driver takes it."""
    if not given:
        return None
    for name, way in given.items():
        if way not in (1, -1, {"$meta": "textScore"}) or isinstance(way, bool | float):
            raise invalid(f"{where}.{name}: it takes 1 (up) or -1 (down)")
    return [(field_name(name, where), way) for name, way in given.items()]


class Count(TypedDict):
    """How many documents there are."""

    count: int


class Values(TypedDict):
    """The different values, in no order."""

    values: list[Json]
    count: int


@connector.tool(effect="read")
async def count(
    client: Client,
    collection: Collection,
    filter: Filter = None,
    limit: Annotated[int | None, Field(ge=1, description="Count no further.")] = None,
) -> Count:
    """Count the documents that fit a filter."""
    given: dict[str, Any] = {} if limit is None else {"limit": limit}
    given["maxTimeMS"] = client.max_time
    fitting = filter_for(client, filter)
    async with client.turns:
        return {"count": await client.collection(collection).count_documents(fitting, **given)}


@connector.tool(effect="read")
async def distinct(
    client: Client, collection: Collection, field: str, filter: Filter = None
) -> Values:
    """Give the different values that a field has; those in lists one by one.

    They come in one answer of the server, of 16 MB at most. More than the
    connection's `max_documents` are an error.
    """
    async with client.turns:
        found = await client.collection(collection).distinct(
            field_name(field, "field"), filter_for(client, filter), maxTimeMS=client.max_time
        )
    client.within(len(found), "list of values")
    values = [from_bson(value) for value in found]
    return {"values": values, "count": len(values)}
