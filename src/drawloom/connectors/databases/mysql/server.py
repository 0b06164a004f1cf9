"""The server that a pool connects to: how a connection is made, asked, cleaned and left."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

from drawloom.connectors.databases.mysql.faults import FAULTS
from drawloom.errors import Failure, FailureKind
from drawloom.sdk import name_fault

if TYPE_CHECKING:
    from drawloom.connectors.databases.mysql.connection import MysqlConnection
    from drawloom.connectors.databases.mysql.drivers import Driver

_ANSWER = 2.0  # seconds, for a connection that lay idle to say that it still stands
_LEAVE = 2.0  # seconds, to take leave
# Strict everywhere; and quotes and backslashes mean what `sql` and the drivers take them for.
_SQL_MODE = (
    "STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,"
    "ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
)


class Server:
    """One database of one server; see `drawloom.sdk.pooling.Server`."""

    def __init__(self, settings: MysqlConnection, driver: Driver) -> None:
        self.place = f"{settings.host}:{settings.port}"
        self._settings = settings
        self._driver = driver

    async def connect(self) -> Any:
        """A new connection, its session set up."""
        connection = await self._driver.connect()
        try:
            await self._set_up(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def stands(self, connection: Any, lay: float) -> bool:
        """Whether nothing was heard of its end."""
        return self._driver.usable(connection)

    async def answers(self, connection: Any) -> bool:
        """Whether the server comes back at once."""
        try:
            async with asyncio.timeout(_ANSWER):
                await connection.ping(reconnect=False)
        except Exception:  # noqa: BLE001  # whatever it is, another connection is better
            return False
        return True

    async def close(self, connection: Any) -> None:
        """Say good-bye, so that the server's log tells of no broken connection."""
        try:
            async with asyncio.timeout(_LEAVE):
                await connection.ensure_closed()
        except Exception:  # noqa: BLE001  # it has gone by itself
            connection.close()

    def drop(self, connection: Any) -> None:
        """Close it now."""
        connection.close()

    def failure(self, exc: Exception) -> Failure:
        """What a driver says of a server that cannot be reached."""
        # The drivers wrap what the system says, and drop the kind of it.
        cause = exc.__cause__ if isinstance(exc.__cause__, OSError) else exc
        failure = name_fault(FAULTS, cause)
        if failure.kind is FailureKind.DEFECT and isinstance(cause, OSError):
            return Failure(FailureKind.TRANSIENT, str(cause))
        return failure

    async def reset(self, connection: Any) -> bool:
        """Make a session as new; False where the connection is of no more use."""
        try:
            async with asyncio.timeout(self._settings.connect_timeout):
                await self._driver.reset(connection)
                await self._set_up(connection)
        except self._driver.errors:
            return False
        return True

    async def _set_up(self, connection: Any) -> None:
        """One statement for all: a session begins READ ONLY, strict, in UTC and with a limit."""
        seconds = self._settings.timeout
        if self._driver.is_mariadb(connection):
            limits = f"max_statement_time = {seconds}, tx_read_only = 1"
        else:
            limits = f"max_execution_time = {round(seconds * 1_000)}, transaction_read_only = 1"
        await connection.query(
            f"SET NAMES utf8mb4, sql_mode = '{_SQL_MODE}', time_zone = '+00:00', autocommit = 1,"
            f" innodb_lock_wait_timeout = {max(1, math.ceil(seconds))}, {limits}"
        )
