"""The server that a pool connects to: how a connection is made, asked and left."""

from __future__ import annotations

import asyncio
import select
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from drawloom.connectors.databases.redis.faults import FAULTS
from drawloom.errors import Failure, FailureKind
from drawloom.sdk import name_fault

if TYPE_CHECKING:
    import ssl

    from redis.asyncio.connection import Connection

    from drawloom.connectors.databases.redis.connection import RedisConnection

_JUST_NOW = 0.001  # seconds; what was used so lately may as well end while it is used
_ANSWER = 2.0  # seconds, for a connection that lay idle to say that it still stands


class Server:
    """One database of one server; see `drawloom.sdk.pooling.Server`."""

    def __init__(
        self, settings: RedisConnection, password: str | None, tls: ssl.SSLContext | None
    ) -> None:
        self.place = f"{settings.host}:{settings.port}"
        self.encrypted = tls is not None
        self._settings = settings
        self._password = password
        self._tls = tls

    async def connect(self) -> Connection:
        """A new connection, logged in."""
        connection = self._made()
        try:
            await connection.connect()  # type: ignore[no-untyped-call]
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return connection

    def stands(self, connection: Connection, lay: float) -> bool:
        """Whether nothing was heard since the last answer: it would be the end, or a rest."""
        reader: Any = connection._reader
        if reader is None or reader.at_eof() or reader._buffer:
            return False
        return lay < _JUST_NOW or not _has_ended(connection._writer)

    async def answers(self, connection: Connection) -> bool:
        """Whether the server comes back at once."""
        from redis.exceptions import RedisError

        with suppress(TimeoutError, RedisError, OSError):
            async with asyncio.timeout(_ANSWER):
                await connection.send_command("PING")
                await connection.read_response()
                return True
        return False

    async def close(self, connection: Connection) -> None:
        """Close it. The protocol has no good-bye that the server would want."""
        with suppress(OSError):
            await connection.disconnect(nowait=True)

    def drop(self, connection: Connection) -> None:
        """Close it now."""
        writer: Any = connection._writer
        connection._reader = connection._writer = None
        if writer is not None:
            writer.close()

    def failure(self, exc: Exception) -> Failure:
        """What the driver says of a server that cannot be reached."""
        # It tells what went wrong with a socket by its text alone.
        cause = exc.__context__ if isinstance(exc.__context__, OSError) else exc
        failure = name_fault(FAULTS, cause)
        if failure.kind is FailureKind.DEFECT and isinstance(cause, OSError):
            return Failure(FailureKind.TRANSIENT, str(cause))
        return failure

    def _made(self) -> Connection:
        from redis.asyncio.connection import Connection, SSLConnection
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        settings = self._settings
        kind: Any = SSLConnection if self._tls else Connection
        made: Connection = kind(
            host=settings.host,
            port=settings.port,
            db=settings.database,
            username=settings.user if self._password is not None else None,
            password=self._password,
            client_name=settings.client_name or None,
            driver_info=None,
            protocol=3,
            retry=Retry(NoBackoff(), 0),  # retries are the engine's
            socket_connect_timeout=settings.connect_timeout,
            socket_timeout=None,  # the client keeps one deadline for all of a command
            socket_keepalive=True,
        )
        if self._tls:
            made.ssl_context.context = self._tls  # type: ignore[attr-defined]
        return made


def _has_ended(writer: Any) -> bool:
    """Whether the server has closed the connection, though the loop has not heard of it yet."""
    if not hasattr(select, "POLLRDHUP"):  # not this system; then the call itself tells
        return False
    asked = select.poll()
    asked.register(writer.get_extra_info("socket").fileno(), select.POLLRDHUP)
    return bool(asked.poll(0))
