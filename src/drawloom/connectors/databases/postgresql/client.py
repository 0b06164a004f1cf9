"""The open client: what a step may do with a connection, and what is proven when it fails."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from drawloom.connectors.databases.postgresql.faults import FAULTS, STANDBY
from drawloom.connectors.databases.postgresql.pool import Pool, PoolState
from drawloom.errors import ToolError, invalid
from drawloom.sdk import name_fault

if TYPE_CHECKING:
    import asyncpg

    from drawloom.connectors.databases.postgresql.connection import PostgresqlConnection


class Client:
    """Connections of one database, shared by every step that is bound to it."""

    def __init__(self, settings: PostgresqlConnection, options: dict[str, Any]) -> None:
        self.settings = settings
        self.effects_table = ""  # see `effects`; "" until it was looked up
        self._pool = Pool(settings, options)

    def pool_state(self) -> PoolState:
        """How full the pool is: size, idle, waiting."""
        return self._pool.state()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[asyncpg.Connection[Any]]:
        """A connection in a READ ONLY transaction: the server itself refuses to write."""
        async with self._transaction(readonly=True) as connection:
            yield connection

    @asynccontextmanager
    async def writing(self, **transaction: Any) -> AsyncIterator[asyncpg.Connection[Any]]:
        """A connection in a transaction that commits at the end, or not at all.

        *transaction* is what the driver takes: isolation, readonly, deferrable.
        """
        async with self._transaction(**transaction) as connection:
            with _telling_of_standby():
                yield connection

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator[asyncpg.Connection[Any]]:
        """A connection without a transaction, where a failure proves nothing."""
        async with self._pool.connection() as connection:
            try:
                with _telling_of_standby():
                    yield connection
            except Exception as exc:
                raise ToolError(replace(name_fault(FAULTS, exc), harmless=False)) from exc
            if connection.is_in_transaction():
                await connection.execute("ROLLBACK")
                _still(False)

    async def close(self) -> None:
        """Close every connection, after a moment for what still runs."""
        await self._pool.close()

    @asynccontextmanager
    async def _transaction(self, **transaction: Any) -> AsyncIterator[asyncpg.Connection[Any]]:
        async with self._pool.connection() as connection, AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(connection.transaction(**transaction))
            except Exception as exc:  # it broke while it lay in the pool: nothing was asked of it
                raise ToolError(self._pool.unreachable(exc)) from exc
            yield connection
            _still(connection.is_in_transaction())


@contextmanager
def _telling_of_standby() -> Iterator[None]:
    import asyncpg

    try:
        yield
    except asyncpg.ReadOnlySQLTransactionError as exc:
        raise ToolError(STANDBY(exc)) from exc


def _still(inside: bool) -> None:
    if not inside:
        raise invalid("a step is a transaction of its own: BEGIN, COMMIT and ROLLBACK are refused")
