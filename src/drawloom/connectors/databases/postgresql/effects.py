"""Writes that happen once, however often they are called with one key.

The key of the call is a row of the table `drawloom_effects`, written in the same
transaction as what the call does: both are there, or neither is. A call whose key
is there already does nothing, and gives what the first one gave. Of two at once
the second waits at the row until the first has committed, or is rolled back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import Field

from drawloom.connectors.databases.postgresql.catalogue import quoted
from drawloom.connectors.databases.postgresql.connection import connector
from drawloom.errors import Failure, FailureKind, ToolError
from drawloom.sdk import TypedDict

if TYPE_CHECKING:
    from drawloom.connectors.databases.postgresql.client import Client

T = TypeVar("T")

_LOOK = """
    SELECT n.nspname FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = pg_catalog.to_regclass('drawloom_effects')
"""
# The lock keeps two from making it at once, which IF NOT EXISTS does not.
_MAKE = """
    SELECT pg_catalog.pg_advisory_xact_lock(7237970109966541670);
    CREATE TABLE IF NOT EXISTS drawloom_effects (
        key text PRIMARY KEY, result json, at timestamptz NOT NULL DEFAULT now()
    );
    CREATE INDEX IF NOT EXISTS drawloom_effects_at ON drawloom_effects (at);
"""


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
    table = await _table(client)
    async with client.writing() as connection:
        sql = f"DELETE FROM {table} WHERE at < now() - make_interval(secs => $1)"
        status = await connection.execute(sql, older_than)
    return Forgotten(count=int(status.rpartition(" ")[2]))


async def once(
    client: Client, key: str, work: Callable[[Any], Awaitable[T]], **transaction: Any
) -> T:
    """What *work* gives, done in a transaction of its own, once for a *key* ("": each time)."""
    if not key:
        async with client.writing(**transaction) as connection:
            return await work(connection)
    table = await _table(client)
    async with client.writing(**transaction) as connection:
        if not await _claim(client, connection, table, key):
            first: T = await connection.fetchval(f"SELECT result FROM {table} WHERE key = $1", key)
            return first
        result = await work(connection)
        await connection.execute(f"UPDATE {table} SET result = $2 WHERE key = $1", key, result)
    return result


async def _claim(client: Client, connection: Any, table: str, key: str) -> bool:
    sql = f"INSERT INTO {table} (key) VALUES ($1) ON CONFLICT (key) DO NOTHING"
    with _remaking(client):
        return str(await connection.execute(sql, key)) == "INSERT 0 1"


@contextmanager
def _remaking(client: Client) -> Iterator[None]:
    """Somebody dropped the table: nothing was done yet, and the next attempt makes it anew."""
    import asyncpg

    try:
        yield
    except asyncpg.UndefinedTableError as exc:
        client.effects_table = ""
        raise ToolError(
            Failure(FailureKind.TRANSIENT, "drawloom_effects is gone", harmless=True)
        ) from exc


async def _table(client: Client) -> str:
    """The table as SQL, made where it is not there; looked up once for a client."""
    if not client.effects_table:
        client.effects_table = await _looked_up(client) or await _made(client)
    return client.effects_table


async def _looked_up(client: Client) -> str:
    async with client.reading() as connection:
        schema = await connection.fetchval(_LOOK)
    return f"{quoted(schema)}.drawloom_effects" if schema else ""


async def _made(client: Client) -> str:
    import asyncpg

    try:
        async with client.writing() as connection:
            await connection.execute(_MAKE)
    except asyncpg.InsufficientPrivilegeError as exc:
        told = (
            f"{exc}; a write that happens once needs the table drawloom_effects"
            " (key text PRIMARY KEY, result json, at timestamptz NOT NULL DEFAULT now()),"
            " and the rights to select, insert and update there"
        )
        raise ToolError(Failure(FailureKind.DENIED, told, harmless=True)) from exc
    return await _looked_up(client)
