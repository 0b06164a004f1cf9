"""Writes that happen once, however often they are called: the engine's key goes in with them.

The key is a row of the table `drawloom_effects` in the same database, written by
the same transaction as the work. A second call with the key finds the row, waits
until the first has committed or gone back, and gives what the first one gave.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from drawloom.connectors.databases.mysql.binding import literal
from drawloom.errors import invalid
from drawloom.sdk.encoding import read_json, write_json

if TYPE_CHECKING:
    from drawloom.connectors.databases.mysql.client import Client, Isolation
    from drawloom.connectors.databases.mysql.sessions import Session

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


async def once(
    client: Client,
    key: str,
    work: Callable[[Session], Awaitable[Any]],
    *,
    clean: bool = True,
    isolation: Isolation | None = None,
) -> Any:
    """What *work* gives, or gave when it was called with *key* before."""
    if not key or len(key) > _LONGEST_KEY:
        raise invalid("the call has no key: a keyed tool is called by an engine, as a step")
    await _make_table(client)
    async with client.writing(clean=clean, isolation=isolation) as session:
        written = literal(session.connection, key)
        if not await _claimed(session, written):
            return await _first_result(session, written)
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


async def _claimed(session: Session, key: str) -> bool:
    """Whether the key is new. Waits for another transaction that has it."""
    done = await session.run(
        "INSERT IGNORE INTO drawloom_effects (`key`, result, at)"
        f" VALUES ({key}, NULL, UTC_TIMESTAMP(6))"
    )
    return done.changes == 1


async def _first_result(session: Session, key: str) -> Any:
    """A locking read sees what is committed now, and not when the transaction began."""
    sql = f"SELECT result FROM drawloom_effects WHERE `key` = {key} LOCK IN SHARE MODE"
    [(result,)] = await session.rows(sql)
    return read_json(result)
