"""SQL as it is written: query, execute, transaction."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from drawloom.connectors.databases.sqlite.binding import bound, columns_of, inspect, row_of
from drawloom.connectors.databases.sqlite.connection import connector
from drawloom.errors import ToolError, invalid
from drawloom.sdk import Failure, Json, Row, name_fault

if TYPE_CHECKING:
    from drawloom.connectors.databases.sqlite.database import Database
    from drawloom.connectors.databases.sqlite.handle import Handle

Sql = Annotated[str, Field(min_length=1, description="One statement, with ? or :name parameters.")]
Args = Annotated[
    list[Json] | dict[str, Json] | None,
    Field(description="The parameters: a list for ?, an object for :name."),
]


class Rows(TypedDict):
    """What a query found. `truncated` says that `limit` cut it off."""

    rows: list[Row]
    columns: list[str]
    count: int
    truncated: bool


class Changes(TypedDict):
    """What a statement did. `rows` is what its RETURNING gave."""

    changes: int
    rows: list[Row]
    columns: list[str]


class Statement(TypedDict):
    """One statement of a transaction."""

    sql: Sql
    args: NotRequired[Args]


class Done(TypedDict):
    """What each statement of a transaction did, in order."""

    results: list[Changes]
    changes: int


@connector.tool(effect="read")
async def query(
    database: Database,
    sql: Sql,
    args: Args = None,
    limit: Annotated[int | None, Field(ge=0, description="Rows at most.")] = None,
) -> Rows:
    """Run one SELECT and give its rows as objects.

    Nothing can be written here: the file is open for reading only. Integers
    beyond 2^53-1 come as decimal strings, BLOBs as base64, an infinite REAL as
    "Infinity". Without `limit`, more rows than the connection's `max_rows` are
    an error; `truncated` is true only where more rows than `limit` were there.
    """
    return await database.read(
        lambda handle: _query(handle, sql, args, limit, database.settings.max_rows)
    )


@connector.tool(effect="once")
async def execute(database: Database, sql: Sql, args: Args = None) -> Changes:
    """Run one statement that writes, in a transaction of its own.

    `changes` counts the rows that INSERT, UPDATE or DELETE touched, 0 for
    anything else. `rows` has what RETURNING gives.
    """
    return await database.write(
        lambda handle: _execute(handle, sql, args, database.settings.max_rows)
    )


@connector.tool(effect="once")
async def transaction(
    database: Database, statements: Annotated[list[Statement], Field(min_length=1)]
) -> Done:
    """Run several statements in order, all or nothing.

    When one fails, nothing of the others remains, and the message says which.
    """
    return await database.write(
        lambda handle: _transaction(handle, statements, database.settings.max_rows)
    )


def _query(
    handle: Handle,
    sql: str,
    args: list[Json] | dict[str, Json] | None,
    limit: int | None,
    most: int,
) -> Rows:
    found = inspect(handle, sql)
    if not found.is_readonly:
        raise invalid("sqlite.query only reads; use sqlite.execute for a statement that writes")
    names = columns_of(found)
    parameters = bound(found, args)
    wanted = most if limit is None else limit
    rows: list[Row] = []
    for cells in handle.checked(handle.apsw.execute(sql, parameters)):
        if len(rows) == wanted:
            if limit is None:
                raise _too_many(most)
            return Rows(rows=rows, columns=names, count=wanted, truncated=True)
        rows.append(row_of(names, cells))
    return Rows(rows=rows, columns=names, count=len(rows), truncated=False)


def _too_many(most: int) -> ToolError:
    return invalid(
        f"the result has more than {most} rows, the connection's max_rows;"
        " give `limit` to a query, or page by key (WHERE id > ? ORDER BY id)"
    )


def _execute(
    handle: Handle, sql: str, args: list[Json] | dict[str, Json] | None, most: int
) -> Changes:
    found = inspect(handle, sql)
    names = columns_of(found)
    before = handle.apsw.total_changes()
    cursor = handle.apsw.execute(sql, bound(found, args))
    rows = [row_of(names, cells) for cells in handle.checked(islice(cursor, most + 1))]
    if len(rows) > most:
        raise _too_many(most)  # and the transaction takes back what was done
    changed = handle.apsw.total_changes() != before
    return Changes(changes=handle.apsw.changes() if changed else 0, rows=rows, columns=names)


def _transaction(handle: Handle, statements: list[Statement], most: int) -> Done:
    results = [_step(handle, place, one, most) for place, one in enumerate(statements)]
    return Done(results=results, changes=sum(result["changes"] for result in results))


def _step(handle: Handle, place: int, one: Statement, most: int) -> Changes:
    """One statement of several. An error must say which of them it was."""
    try:
        return _execute(handle, one["sql"], one.get("args"), most)
    except Exception as exc:
        raise ToolError(_at(name_fault(connector.faults, exc), place)) from exc


def _at(failure: Failure, place: int) -> Failure:
    details = {**(failure.details or {}), "statement": place}
    message = f"statements[{place}]: {failure.message}"
    return Failure(failure.kind, message, failure.retry_after, details, failure.harmless)
