"""Several operations in one transaction, some of them allowed to fail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, NotRequired, TypeAlias

from pydantic import Field
from typing_extensions import TypedDict

from drawloom.connectors.databases.mysql.binding import bound, write_statement
from drawloom.connectors.databases.mysql.changing import (
    delete_rows,
    expected,
    insert_rows,
    update_rows,
)
from drawloom.connectors.databases.mysql.connection import connector
from drawloom.connectors.databases.mysql.effects import once
from drawloom.connectors.databases.mysql.faults import FAULTS
from drawloom.connectors.databases.mysql.forms import Where
from drawloom.connectors.databases.mysql.tables import Expect, Key, TableName, Values
from drawloom.connectors.databases.mysql.tools import Sql, changes_of
from drawloom.errors import FailureKind, invalid
from drawloom.sdk import Context, Json, Row, name_fault

if TYPE_CHECKING:
    from drawloom.connectors.databases.mysql.client import Client
    from drawloom.connectors.databases.mysql.sessions import Session


class Insert(TypedDict):
    """Add rows."""

    do: Literal["insert"]
    table: TableName
    rows: list[Row]


class Upsert(TypedDict):
    """Add rows, or change those with the same key."""

    do: Literal["upsert"]
    table: TableName
    rows: list[Row]
    key: Key


class Update(TypedDict):
    """Give columns a value in the rows of which `where` holds."""

    do: Literal["update"]
    table: TableName
    set: Values
    where: Where
    expect: NotRequired[Expect]


class Delete(TypedDict):
    """Delete the rows of which `where` holds."""

    do: Literal["delete"]
    table: TableName
    where: Where
    expect: NotRequired[Expect]


class Execute(TypedDict):
    """Run one INSERT, UPDATE, DELETE, REPLACE or SELECT … FOR UPDATE."""

    do: Literal["execute"]
    sql: Sql
    args: NotRequired[list[Json]]


Simple: TypeAlias = Annotated[
    Insert | Upsert | Update | Delete | Execute, Field(discriminator="do")
]


class Attempt(TypedDict):
    """Do these, or none of them: where one fails, go back to before the first and go on.

    Only what the data says can be passed over so: conflict, invalid, missing.
    """

    do: Literal["attempt"]
    operations: Annotated[list[Simple], Field(min_length=1)]


Operation: TypeAlias = Annotated[
    Insert | Upsert | Update | Delete | Execute | Attempt, Field(discriminator="do")
]
Operations = Annotated[list[Operation], Field(min_length=1)]
IsolationLevel = Annotated[
    Literal["read uncommitted", "read committed", "repeatable read", "serializable"] | None,
    Field(description="Without it, what the server is set to."),
]


class Outcome(TypedDict):
    """What each operation gave, in their order."""

    results: list[dict[str, Json]]


_PASSED_OVER = frozenset({FailureKind.CONFLICT, FailureKind.INVALID, FailureKind.MISSING})


@connector.tool(effect="keyed")
async def transaction(
    client: Client, operations: Operations, context: Context, isolation: IsolationLevel = None
) -> Outcome:
    """Do several operations in one transaction: all of them, or none, and once however often
    the engine calls.

    A deadlock rolls everything back and so is harmless: a `retry` makes the call
    again. A savepoint stands before each `attempt`.
    """

    async def work(session: Session) -> Outcome:
        return Outcome(results=await _all(client, session, operations))

    clean = not _has_sql(operations)
    return await once(client, context.key, work, clean=clean, isolation=isolation)


async def _all(client: Client, session: Session, operations: list[Any]) -> list[dict[str, Json]]:
    return [dict(await _DO[one["do"]](client, session, one)) for one in operations]


async def _insert(client: Client, session: Session, one: Any) -> Mapping[str, Json]:
    return await insert_rows(client, session, one["table"], one["rows"], one.get("key"))


async def _update(client: Client, session: Session, one: Any) -> Mapping[str, Json]:
    done = await update_rows(client, session, one["table"], one["set"], one["where"])
    return expected(done, one.get("expect"))


async def _delete(client: Client, session: Session, one: Any) -> Mapping[str, Json]:
    done = await delete_rows(client, session, one["table"], one["where"])
    return expected(done, one.get("expect"))


async def _execute(client: Client, session: Session, one: Any) -> Mapping[str, Json]:
    statement = write_statement(one["sql"])
    if not statement.in_transaction:
        raise invalid(f"{statement.verb} commits by itself: it cannot be part of a transaction")
    done = await session.run(bound(session.connection, statement, one.get("args") or []))
    return changes_of(statement, done, client.settings.max_rows)


async def _attempt(client: Client, session: Session, one: Any) -> Mapping[str, Json]:
    await session.run("SAVEPOINT drawloom_attempt")
    try:
        results = await _all(client, session, one["operations"])
    except Exception as exc:
        failure = name_fault(FAULTS, exc)
        if failure.kind not in _PASSED_OVER or not session.answers_after(exc):
            raise
        await session.run("ROLLBACK TO SAVEPOINT drawloom_attempt")
        return {"done": False, "failure": {"kind": failure.kind.value, "message": failure.message}}
    return {"done": True, "results": results}


_DO: dict[str, Callable[[Client, Session, Any], Awaitable[Mapping[str, Json]]]] = {
    "insert": _insert,
    "upsert": _insert,
    "update": _update,
    "delete": _delete,
    "execute": _execute,
    "attempt": _attempt,
}


def _has_sql(operations: list[Any]) -> bool:
    return any(
        one["do"] == "execute" or (one["do"] == "attempt" and _has_sql(one["operations"]))
        for one in operations
    )
