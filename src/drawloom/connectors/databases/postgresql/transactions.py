"""Several operations in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, NotRequired, TypeAlias

from pydantic import Field, with_config
from typing_extensions import TypedDict

from drawloom.connectors.databases.postgresql.client import savepoint
from drawloom.connectors.databases.postgresql.connection import connector
from drawloom.connectors.databases.postgresql.effects import once
from drawloom.connectors.databases.postgresql.faults import FAULTS
from drawloom.connectors.databases.postgresql.filters import Filter
from drawloom.connectors.databases.postgresql.results import Changes
from drawloom.connectors.databases.postgresql.tools import execute_on
from drawloom.connectors.databases.postgresql.writing import (
    MissingField,
    delete_on,
    insert_on,
    update_on,
)
from drawloom.errors import Failure, FailureKind, ToolError, invalid
from drawloom.sdk import Context, Json, Row, name_fault

if TYPE_CHECKING:
    from drawloom.connectors.databases.postgresql.client import Client

_CLOSED = with_config({"extra": "forbid"})
Isolation: TypeAlias = Literal["read_committed", "repeatable_read", "serializable"]
_Names: TypeAlias = Annotated[list[str], Field(min_length=1)]

# What an optional operation may fail with: the data says no, and the rest can go on.
_TOLERATED = frozenset(
    {FailureKind.INVALID, FailureKind.CONFLICT, FailureKind.MISSING, FailureKind.DENIED}
)


@_CLOSED
class Execute(TypedDict):
    """One statement, of any kind that a transaction may hold."""

    do: Literal["execute"]
    sql: Annotated[str, Field(min_length=1)]
    args: NotRequired[list[Json]]
    optional: NotRequired[bool]


@_CLOSED
class Insert(TypedDict):
    """Rows to add; see `postgresql.insert`."""

    do: Literal["insert"]
    table: str
    rows: list[Row]
    schema: NotRequired[str]
    missing: NotRequired[MissingField]
    returning: NotRequired[_Names]
    optional: NotRequired[bool]


@_CLOSED
class Upsert(TypedDict):
    """Rows to add or change; see `postgresql.upsert`."""

    do: Literal["upsert"]
    table: str
    rows: list[Row]
    key: _Names
    schema: NotRequired[str]
    missing: NotRequired[MissingField]
    returning: NotRequired[_Names]
    optional: NotRequired[bool]


@_CLOSED
class Update(TypedDict):
    """Rows to change; see `postgresql.update`."""

    do: Literal["update"]
    table: str
    values: Row
    where: NotRequired[Filter]
    all: NotRequired[bool]
    schema: NotRequired[str]
    returning: NotRequired[_Names]
    optional: NotRequired[bool]


@_CLOSED
class Delete(TypedDict):
    """Rows to delete; see `postgresql.delete`."""

    do: Literal["delete"]
    table: str
    where: NotRequired[Filter]
    all: NotRequired[bool]
    schema: NotRequired[str]
    returning: NotRequired[_Names]
    optional: NotRequired[bool]


Operation: TypeAlias = Annotated[
    Execute | Insert | Upsert | Update | Delete, Field(discriminator="do")
]


class Refused(TypedDict):
    """Why an optional operation was rolled back alone."""

    kind: str
    message: str


class Done(Changes):
    """What one operation did. `failure` is null where it did it."""

    failure: Refused | None


class Transaction(TypedDict):
    """What each operation did, in order, and the changes of all."""

    results: list[Done]
    changes: int


@connector.tool(effect="keyed")
async def transaction(
    client: Client,
    operations: Annotated[list[Operation], Field(min_length=1)],
    context: Context,
    isolation: Isolation = "read_committed",
    read_only: bool = False,
    deferrable: Annotated[
        bool, Field(description="Wait for a snapshot that nothing can disturb.")
    ] = False,
    deadline: Annotated[
        float | None, Field(gt=0, description="Seconds for all operations together.")
    ] = None,
) -> Transaction:
    """Run several operations in order, all or nothing, once however often the engine calls.

    An operation that is `optional` is rolled back alone where the data or the schema
    refuses it. When another fails, nothing of any remains, and the message says which.
    A serialization failure or a deadlock has changed nothing: the engine's retry runs
    the whole again.
    """
    if deferrable and not (read_only and isolation == "serializable"):
        raise invalid("deferrable is for isolation: serializable and read_only: true alone")
    most = client.settings.max_rows

    async def run(connection: Any) -> Transaction:
        async with _within(deadline):
            results = [await _step(connection, at, one, most) for at, one in enumerate(operations)]
        return Transaction(results=results, changes=sum(one["changes"] for one in results))

    key = "" if read_only else context.key
    return await once(
        client, key, run, isolation=isolation, readonly=read_only, deferrable=deferrable
    )


@asynccontextmanager
async def _within(deadline: float | None) -> AsyncIterator[None]:
    """What takes longer was not committed: the driver cancels it, and it is rolled back."""
    try:
        async with asyncio.timeout(deadline):
            yield
    except TimeoutError as exc:
        message = f"the operations took longer than the deadline of {deadline:g} s"
        raise ToolError(Failure(FailureKind.TIMEOUT, message, harmless=True)) from exc


async def _step(connection: Any, at: int, one: Operation, most: int) -> Done:
    """One operation. An error must say which of them it was."""
    try:
        if not one.get("optional"):
            return _done(await _apply(connection, one, most))
        async with savepoint(connection):
            return _done(await _apply(connection, one, most))
    except Exception as exc:
        failure = name_fault(FAULTS, exc)
        if one.get("optional") and failure.kind in _TOLERATED:
            refused = Refused(kind=failure.kind.value, message=failure.message)
            return Done(changes=0, rows=[], columns=[], failure=refused)
        details = {**(failure.details or {}), "operation": at}
        message = f"operations[{at}]: {failure.message}"
        raise ToolError(replace(failure, message=message, details=details)) from exc


def _done(changes: Changes) -> Done:
    return Done(**changes, failure=None)


async def _apply(connection: Any, one: Any, most: int) -> Changes:
    given = {name: value for name, value in one.items() if name not in ("do", "optional")}
    match one["do"]:
        case "execute":
            return await execute_on(connection, one["sql"], one.get("args", []), most)
        case "update":
            return await update_on(connection, most, **given)
        case "delete":
            return await delete_on(connection, most, **given)
        case _:
            return await insert_on(connection, most, **given)
