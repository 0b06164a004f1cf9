"""Writes that happen once, however often they are called with one key.

The key of the call is a row of the table `drawloom_effects` in the same database,
written in the same transaction as what the call does: both are there, or neither is.
A call whose key is there already does nothing, and gives what the first one gave. Of
two at once the second waits at the row until the first has committed, or is rolled back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import Field
from typing_extensions import TypedDict

from drawloom.connectors.databases.mysql.binding import literal
from drawloom.connectors.databases.mysql.connection import connector
from drawloom.connectors.databases.mysql.faults import error_number
from drawloom.errors import Failure, FailureKind, ToolError, invalid
from drawloom.sdk.encoding import read_json, write_json

if TYPE_CHECKING:
    from drawloom.connectors.databases.mysql.client import Client, Isolation
    from drawloom.connectors.databases.mysql.sessions import Session

T = TypeVar("T")

_MAKE = """
    CREATE TABLE IF NOT EXISTS drawloom_effects (
      `key` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY,
      result LONGTEXT CHARACTER SET utf8mb4, at DATETIME(6) NOT NULL, INDEX (at)
    ) ENGINE = InnoDB
"""
_IS_THERE = """
    SELECT COUNT(*) FROM information_schema.TABLES
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'drawloom_effects'
"""
_LONGEST_KEY = 255
_NO_TABLE = 1146


class Forgotten(TypedDict):
    """How many keys were deleted."""

    count: int


@connector.tool(effect="idempotent")
async def forget_effects(
    client: Client,
    older_than: Annotated[
        float, Field(ge=0, description="Seconds. A run that may still repeat a call is younger.")
    ],
) -> Forgotten:
    """Delete the keys of writes that are older than so many seconds, with their results.

    A call with a key that was deleted would write again.
    """
    await _make_table(client)
    async with client.writing() as session:
        done = await session.run(
            "DELETE FROM drawloom_effects WHERE at < UTC_TIMESTAMP(6)"
            f" - INTERVAL {round(older_than * 1e6)} MICROSECOND"
        )
    return Forgotten(count=done.changes)


async def once(
    client: Client,
    key: str,
    work: Callable[[Session], Awaitable[T]],
    *,
    clean: bool = True,
    isolation: Isolation | None = None,
) -> T:
    """What *work* gives, done in a transaction of its own, once for a *key* ("": each time)."""
    if not key:
        async with client.writing(clean=clean, isolation=isolation) as session:
            return await work(session)
    if len(key) > _LONGEST_KEY:
        raise invalid(f"the key of the call has {len(key)} letters, more than {_LONGEST_KEY}")
    await _make_table(client)
    async with client.writing(clean=clean, isolation=isolation) as session:
        written = literal(session.connection, key)
        if not await _claimed(client, session, written):
            first: T = await _first_result(session, written)
            return first
        result = await work(session)
        text = literal(session.connection, write_json(result))
        await session.run(f"UPDATE drawloom_effects SET result = {text} WHERE `key` = {written}")
    return result


async def _make_table(client: Client) -> None:
    """Making a table commits, so it is done before."""
    if client.has_effects:
        return
    async with client.reading() as session:
        [(there,)] = await session.rows(_IS_THERE)
    if not there:
        async with client.committing() as session:
            await session.run(_MAKE)
    client.has_effects = True


async def _claimed(client: Client, session: Session, key: str) -> bool:
    """Whether the key is new. Waits for another transaction that has it."""
    with _remaking(client):
        done = await session.run(
            "INSERT IGNORE INTO drawloom_effects (`key`, result, at)"
            f" VALUES ({key}, NULL, UTC_TIMESTAMP(6))"
        )
    return done.changes == 1


@contextmanager
def _remaking(client: Client) -> Iterator[None]:
    """Somebody dropped the table: nothing was done yet, and the next attempt makes it anew."""
    try:
        yield
    except Exception as exc:
        if error_number(exc) != _NO_TABLE:
            raise
        client.has_effects = False
        raise ToolError(
            Failure(FailureKind.TRANSIENT, "drawloom_effects is gone", harmless=True)
        ) from exc


async def _first_result(session: Session, key: str) -> Any:
    """A locking read sees what is committed now, and not when the transaction began."""
    sql = f"SELECT result FROM drawloom_effects WHERE `key` = {key} LOCK IN SHARE MODE"
    [(result,)] = await session.rows(sql)
    return read_json(result)
