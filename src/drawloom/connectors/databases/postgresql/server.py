"""The server that a pool connects to: how a connection is made, asked, cleaned and left."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from drawloom.connectors.databases.postgresql.codecs import install
from drawloom.connectors.databases.postgresql.faults import FAULTS
from drawloom.connectors.databases.postgresql.statements import Statements
from drawloom.errors import Failure
from drawloom.sdk import name_fault

if TYPE_CHECKING:
    import asyncpg

    from drawloom.connectors.databases.postgresql.connection import PostgresqlConnection

_ANSWER = 2.0  # seconds, for a connection that lay idle to say that it still stands
_LEAVE = 2.0  # seconds, to take leave

# The driver resets settings, locks, cursors and listeners, but would hand on a
# changed role and temporary tables, which hide real ones, to the next call.
_RESET = "RESET SESSION AUTHORIZATION; RESET ROLE; DISCARD TEMP;"
# So each statement that begins no transaction of its own is a READ ONLY one.
_ONLY_READ = "SET default_transaction_read_only = on;"
_TAKES_WRITES = "SELECT current_setting('default_transaction_read_only') = 'off'"


class Line:
    """One connection, and the statements that the server has prepared for it.

    `takes_writes` is false where the server, the database or the user is set to read only.
    """

    __slots__ = ("connection", "statements", "takes_writes")

    def __init__(self, connection: asyncpg.Connection[Any], takes_writes: bool) -> None:
        self.connection = connection
        self.takes_writes = takes_writes
        self.statements = Statements(connection)

    async def clean(self) -> None:
        """Undo all that a step may have left: a transaction, settings, locks, temporary tables."""
        connection = self.connection
        undo = "ROLLBACK;\n" if connection.is_in_transaction() else ""
        await connection.execute(f"{undo}{connection.get_reset_query()}\n{_RESET}{_ONLY_READ}")


class Server:
    """One database of one server; see `drawloom.sdk.pooling.Server`."""

    def __init__(self, settings: PostgresqlConnection, options: dict[str, Any]) -> None:
        self.place = f"{settings.host}:{settings.port}"
        self._options = {**options, "command_timeout": _patience(settings.timeout)}

    async def connect(self) -> Line:
        """A new connection that knows every codec."""
        import asyncpg

        connection = await asyncpg.connect(**self._options)
        try:
            await install(connection)
            takes_writes = await connection.fetchval(_TAKES_WRITES)
            await connection.execute(_ONLY_READ)
        except BaseException:
            connection.terminate()
            raise
        return Line(connection, takes_writes)

    def stands(self, line: Line, lay: float) -> bool:
        """Whether nothing was heard of its end."""
        return not line.connection.is_closed()

    async def answers(self, line: Line) -> bool:
        """Whether a query comes back at once."""
        try:
            await line.connection.fetchval("SELECT 1", timeout=_ANSWER)
        except Exception:  # noqa: BLE001  # whatever it is, another connection is better
            return False
        return True

    async def close(self, line: Line) -> None:
        """Say good-bye, so that the server's log tells of no broken connection."""
        try:
            await line.connection.close(timeout=_LEAVE)
        except Exception:  # noqa: BLE001  # it has gone by itself
            line.connection.terminate()

    def drop(self, line: Line) -> None:
        """Close it now."""
        if not line.connection.is_closed():
            line.connection.terminate()

    def failure(self, exc: Exception) -> Failure:
        """What the driver says of a server that cannot be reached."""
        return name_fault(FAULTS, exc)


def _patience(timeout: float) -> float:
    """When to give up on a server that no longer answers, seconds. It counts the time itself."""
    return math.ceil(timeout) + 10.0
