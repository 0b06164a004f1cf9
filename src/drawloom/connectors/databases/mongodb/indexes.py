"""Indexes of a collection: made, listed, dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from drawloom.connectors.databases.mongodb.connection import connector
from drawloom.connectors.databases.mongodb.filters import field_name
from drawloom.connectors.databases.mongodb.finding import filter_for
from drawloom.connectors.databases.mongodb.inserting import Collection
from drawloom.connectors.databases.mongodb.values import from_bson
from drawloom.errors import invalid
from drawloom.sdk import Row, TypedDict

if TYPE_CHECKING:
    from drawloom.connectors.databases.mongodb.client import Client

Way = Literal[1, -1, "text", "hashed", "2d", "2dsphere"]
Keys = Annotated[
    dict[str, Way], Field(min_length=1, description="1, -1 or a kind by field, the first first.")
]


class Collation(TypedDict, total=False):
    """How texts are compared, in the words of the server."""

    locale: str
    strength: int
    caseLevel: bool
    caseFirst: Literal["upper", "lower", "off"]
    numericOrdering: bool
    alternate: Literal["non-ignorable", "shifted"]
    maxVariable: Literal["punct", "space"]
    backwards: bool


class Created(TypedDict):
    """The name of the index."""

    name: str


class Indexes(TypedDict):
    """The indexes, as the server describes them."""

    indexes: list[Row]


class Dropped(TypedDict):
    """Whether there was such an index."""

    dropped: bool


@connector.tool(effect="idempotent")
async def create_index(
    client: Client,
    collection: Collection,
    keys: Keys,
    name: Annotated[str | None, Field(min_length=1, max_length=127)] = None,
    unique: bool = False,
    sparse: bool = False,
    hidden: bool = False,
    expire_after: Annotated[
        int | None, Field(ge=0, description="Seconds from the field's date to the deletion.")
    ] = None,
    partial_filter: Annotated[Row | None, Field(description="Which documents are in it.")] = None,
    collation: Collation | None = None,
    wildcard_projection: dict[str, Literal[0, 1]] | None = None,
    weights: dict[str, int] | None = None,
    default_language: str | None = None,
    language_override: str | None = None,
    bits: Annotated[int | None, Field(ge=1, le=32)] = None,
    min: float | None = None,
    max: float | None = None,
    wait: Annotated[
        float, Field(gt=0, le=86_400, description="Seconds for the server to build it.")
    ] = 3_600,
) -> Created:
    """Make an index, and wait until the server has built it.

    Repeating it changes nothing. An index of the same name or of the same fields
    with other options is a `conflict`.
    """
    import pymongo

    given: dict[str, Any] = {
        "name": name,
        "unique": unique or None,
        "sparse": sparse or None,
        "hidden": hidden or None,
        "expireAfterSeconds": expire_after,
        "partialFilterExpression": partial_filter
        and filter_for(client, partial_filter, "partial_filter"),
        "collation": collation,
        "wildcardProjection": wildcard_projection,
        "weights": weights,
        "default_language": default_language,
        "language_override": language_override,
        "bits": bits,
        "min": min,
        "max": max,
    }
    options = {option: value for option, value in given.items() if value is not None}
    # A server that cannot be reached is said before the long wait begins.
    await client.database.command("ping")
    with pymongo.timeout(wait):
        made = await client.collection(collection).create_index(
            [(_field(field), way) for field, way in keys.items()], **options
        )
    return {"name": made}


@connector.tool(effect="read")
async def list_indexes(client: Client, collection: Collection) -> Indexes:
    """List the indexes of a collection; none where there is no such collection."""
    return {"indexes": [_described(one) for one in await _listed(client, collection)]}


@connector.tool(effect="idempotent")
async def drop_index(
    client: Client, collection: Collection, name: Annotated[str, Field(min_length=1)]
) -> Dropped:
    """Drop an index by its name; no error where there is none."""
    if name in ("*", "_id_"):
        raise invalid(f"name: {name!r} is not one index that can be dropped")
    if name not in [one["name"] for one in await _listed(client, collection)]:
        return {"dropped": False}
    await client.collection(collection).drop_index(name)
    return {"dropped": True}


async def _listed(client: Client, collection: str) -> list[dict[str, Any]]:
    cursor = await client.collection(collection).list_indexes()
    return [dict(one) for one in await cursor.to_list()]


def _described(index: dict[str, Any]) -> Row:
    """As plain data. A filter in it has operators, so it is not read as a value."""
    keep = {k: v for k, v in index.items() if k not in ("key", "partialFilterExpression")}
    found: Row = {**from_bson(keep), "key": dict(index["key"])}
    if "partialFilterExpression" in index:
        from bson.json_util import dumps

        found["partialFilterExpression"] = dumps(index["partialFilterExpression"])
    return found


def _field(name: str) -> str:
    """A field, a path, or `$**` for all fields (below a path)."""
    if name != "$**":
        field_name(name.removesuffix(".$**"), "keys")
    return name
