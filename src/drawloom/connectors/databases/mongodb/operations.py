"""Several writes in one call, as data: in bulk, or in a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NotRequired

from drawloom.connectors.databases.mongodb.changing import change_of
from drawloom.connectors.databases.mongodb.connection import connector
from drawloom.connectors.databases.mongodb.finding import filter_for
from drawloom.connectors.databases.mongodb.inserting import Collection
from drawloom.connectors.databases.mongodb.values import document as stored
from drawloom.connectors.databases.mongodb.values import from_bson
from drawloom.errors import invalid
from drawloom.sdk import Json, Row, TypedDict

if TYPE_CHECKING:
    from drawloom.connectors.databases.mongodb.client import Client

Op = Literal["insert_one", "update_one", "update_many", "replace_one", "delete_one", "delete_many"]


class Operation(TypedDict):
    """One write: `op` says which, and the fields are those of the tool of that name."""

    op: Op
    document: NotRequired[Row]
    filter: NotRequired[Row]
    update: NotRequired[Row | list[Row]]
    replacement: NotRequired[Row]
    upsert: NotRequired[bool]
    array_filters: NotRequired[list[Row]]
    args: NotRequired[Row]


class OperationOn(Operation):
    """A write, and the collection that it is for."""

    collection: str


class Written(TypedDict):
    """What was done, counted over all operations. `upserted_ids` is by number of operation."""

    inserted: int
    matched: int
    modified: int
    deleted: int
    upserted_ids: dict[str, Json]


class Committed(TypedDict):
    """What each operation of the transaction did."""

    operations: list[Written]


_NEEDED = {
    "insert_one": {"document"},
    "update_one": {"filter", "update"},
    "update_many": {"filter", "update"},
    "replace_one": {"filter", "replacement"},
    "delete_one": {"filter"},
    "delete_many": {"filter"},
}
_ALSO = {
    "update_one": {"upsert", "array_filters", "args"},
    "update_many": {"upsert", "array_filters", "args"},
    "replace_one": {"upsert"},
}


@connector.tool(effect="once")
async def bulk_write(
    client: Client, collection: Collection, operations: list[Operation], ordered: bool = True
) -> Written:
    """Make several writes to one collection in one call; they are no transaction.

    With `ordered` those behind one that fails are not tried, without it they are.
    A failure says how far it came. Give an `_id` where an insert may be repeated.
    """
    writes = [checked_write(one, client, f"operations[{n}]") for n, one in enumerate(operations)]
    target = client.collection(collection)
    if not writes:
        return {"inserted": 0, "matched": 0, "modified": 0, "deleted": 0, "upserted_ids": {}}
    async with client.turns:
        return _written(await target.bulk_write(writes, ordered=ordered))


@connector.tool(effect="once")
async def transaction(client: Client, operations: list[OperationOn]) -> Committed:
    """Make several writes, to any collections of the database, all or nothing.

    Needs a replica set or a sharded cluster. A conflict with another transaction
    undoes it and may be tried again; only where the commit itself got no answer is
    the outcome not known.
    """
    writes = [
        (client.collection(one["collection"]), checked_write(one, client, f"operations[{n}]"))
        for n, one in enumerate(operations)
    ]
    async with (
        client.turns,
        client.driver.start_session() as session,
        await session.start_transaction(),
    ):
        done = [
            _written(await target.bulk_write([write], session=session)) for target, write in writes
        ]
    return {"operations": done}


def checked_write(given: Any, client: Client, where: str) -> Any:
    """The driver's form of an operation. Raises `ToolError` (invalid) naming the place."""
    import pymongo

    op = given["op"]
    _check_fields(given, op, where)
    if op == "insert_one":
        return pymongo.InsertOne(stored(given["document"], f"{where}.document"))
    filter = filter_for(client, given["filter"], f"{where}.filter")
    if op.startswith("delete"):
        return {"delete_one": pymongo.DeleteOne, "delete_many": pymongo.DeleteMany}[op](filter)
    upsert = given.get("upsert", False)
    if op == "replace_one":
        replacement = stored(given["replacement"], f"{where}.replacement")
        return pymongo.ReplaceOne(filter, replacement, upsert=upsert)
    make = {"update_one": pymongo.UpdateOne, "update_many": pymongo.UpdateMany}[op]
    change = change_of(client, given["update"], given.get("args"), given.get("array_filters"))
    return make(filter, **change, upsert=upsert)


def _check_fields(given: Any, op: str, where: str) -> None:
    fields = given.keys() - {"op", "collection"}
    if lacking := _NEEDED[op] - fields:
        raise invalid(f"{where}: {op} needs {', '.join(sorted(lacking))}")
    if strange := fields - _NEEDED[op] - _ALSO.get(op, set()):
        raise invalid(f"{where}: {op} does not take {', '.join(sorted(strange))}")


def _written(done: Any) -> Written:
    upserted = {str(n): from_bson(one) for n, one in (done.upserted_ids or {}).items()}
    return {
        "inserted": done.inserted_count,
        "matched": done.matched_count,
        "modified": done.modified_count,
        "deleted": done.deleted_count,
        "upserted_ids": upserted,
    }
