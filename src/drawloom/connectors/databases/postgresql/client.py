"""The open client: a pool, made when first used, that hands out clean connections."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from drawloom.connectors.databases.postgresql.codecs import install
from drawloom.connectors.databases.postgresql.faults import FAULTS, STANDBY
from drawloom.errors import Failure, FailureKind, ToolError, invalid
from drawloom.sdk import name_fault

if TYPE_CHECKING:
    import asyncpg

    from drawloom.connectors.databases.postgresql.connection import PostgresqlConnection

_CLOSING = 10.0  # seconds for what still runs when the client closes

# The driver resets settings, locks, cursors and listeners, but would hand on a
# changed role and temporary tables, which hide real ones, to the next call.
_RESET = "RESET SESSION AUTHORIZATION; RESET ROLE; DISCARD TEMP;"


class Client:
    """Connections of one database, shared by every step that is bound to it."""

    def __init__(self, settings: PostgresqlConnection, options: dict[str, Any]) -> None:
        self.settings = settings
        self._options = options
        self._opening = asyncio.Lock()
        self._made: Any = None
        self.effects_table = ""  # see `effects`; "" until it was looked up

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
        async with self._connection() as connection:
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
        if self._made is None:
            return
        try:
            async with asyncio.timeout(_CLOSING):
                await self._made.close()
        except TimeoutError:
            self._made.terminate()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.Connection[Any]]:
        connection = await self._acquire()
        try:
            yield connection
        finally:
            await self._made.release(connection)

    @asynccontextmanager
    async def _transaction(self, **transaction: Any) -> AsyncIterator[asyncpg.Connection[Any]]:
        async with self._connection() as connection, AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(connection.transaction(**transaction))
            except Exception as exc:  # it broke while it lay in the pool: nothing was asked of it
                raise ToolError(self._unreachable(exc)) from exc
            yield connection
            _still(connection.is_in_transaction())

    async def _acquire(self) -> asyncpg.Connection[Any]:
        """Whatever goes wrong here came before the statement: it is harmless."""
        try:
            await self._open()
            connection: asyncpg.Connection[Any] = await self._made.acquire(
                timeout=self.settings.acquire_timeout
            )
            return connection
        except TimeoutError as exc:
            most = self.settings.max_connections
            message = (
                f"{self._place}: no connection came free in time (the pool has {most} at most)"
            )
            raise ToolError(Failure(FailureKind.THROTTLED, message, harmless=True)) from exc
        except Exception as exc:
            raise ToolError(self._unreachable(exc)) from exc

    def _unreachable(self, exc: Exception) -> Failure:
        """Why nothing could be asked of the server."""
        failure = name_fault(FAULTS, exc)
        if failure.kind is FailureKind.DEFECT and isinstance(exc, OSError):
            message = f"cannot reach {self._place}: {exc}"
            return Failure(FailureKind.TRANSIENT, message, harmless=True)
        return replace(failure, message=f"{self._place}: {failure.message}", harmless=True)

    @property
    def _place(self) -> str:
        return f"{self.settings.host}:{self.settings.port}"

    async def _open(self) -> None:
        import asyncpg

        async with self._opening:
            if self._made is None:
                self._made = await asyncpg.create_pool(
                    min_size=self.settings.min_connections,
                    max_size=max(self.settings.max_connections, self.settings.min_connections),
                    init=install,
                    reset=_reset,
                    command_timeout=_patience(self.settings.timeout),
                    **self._options,
                )


@contextmanager
def _telling_of_standby() -> Iterator[None]:
    import asyncpg

    try:
        yield
    except asyncpg.ReadOnlySQLTransactionError as exc:
        raise ToolError(STANDBY(exc)) from exc


async def _reset(connection: Any) -> None:
    await connection.execute(connection.get_reset_query() + "\n" + _RESET)


def _patience(timeout: float) -> float:
    """When to give up on a server that no longer answers, seconds. It counts the time itself."""
    return math.ceil(timeout) + 10.0


def _still(inside: bool) -> None:
    if not inside:
        raise invalid("a step is a transaction of its own: BEGIN, COMMIT and ROLLBACK are refused")
