"""Where the server is, who asks, and how many connections it takes."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from drawloom.connectors.databases.mysql.faults import FAULTS
from drawloom.sdk import Connection, Connector, Secret
from drawloom.sdk.tls import Tls, tls_context

if TYPE_CHECKING:
    from drawloom.connectors.databases.mysql.client import Client
    from drawloom.sdk.doors import Doors

DriverName = Literal["asyncmy", "aiomysql"]


class MysqlConnection(Connection):
    """A database of MySQL or MariaDB, and the pool of connections to it.

    Everything is said here: option files (my.cnf) and environment variables are
    not looked at.
    """

    host: str = Field("localhost", min_length=1, description="A name, an address or a socket.")
    port: int = Field(3306, ge=1, le=65_535)
    database: str = Field(min_length=1)
    user: str = Field(min_length=1)
    password: Secret | None = None
    tls: Tls | None = Field(
        None, description="Without it: verify-full, or off where the host is this machine."
    )
    ca_file: str | None = Field(None, description="PEM certificates to trust, not the system's.")
    driver: DriverName | None = Field(
        None, description="Without it: asyncmy, or aiomysql where that is not installed."
    )
    min_connections: int = Field(0, ge=0, description="Connections that idle_timeout spares.")
    max_connections: int = Field(10, ge=1, le=1_000, description="Connections at most.")
    lifetime: float = Field(
        3_600.0, gt=0, description="Seconds after which a connection is replaced."
    )
    idle_timeout: float = Field(
        600.0, gt=0, description="Seconds after which an idle connection is closed."
    )
    connect_timeout: float = Field(10.0, gt=0, description="Seconds to reach the server.")
    acquire_timeout: float = Field(30.0, gt=0, description="Seconds to wait for a connection.")
    timeout: float = Field(30.0, ge=0.001, le=86_400, description="Seconds for one statement.")
    application_name: str = Field("drawloom", max_length=63)
    max_rows: int = Field(
        1_000_000, ge=1, description="A result of more rows is an error, unless `limit` is given."
    )

    @asynccontextmanager
    async def open(self, doors: Doors) -> AsyncIterator[Client]:
        """A client that connects when it is first used. Raises `ConnectionUnusable`."""
        from drawloom.connectors.databases.mysql.client import Client
        from drawloom.connectors.databases.mysql.drivers import Driver

        client = Client(self, Driver(self.driver, _options(self, doors.root)))
        try:
            yield client
        finally:
            await client.close()

    async def check(self, client: Client) -> dict[str, Any]:
        """Server, version, TLS, the time of an answer, and the rights that the server tells."""
        async with client.reading() as session:
            began = time.perf_counter()
            version, comment, read_only = (await session.rows(_WHO))[0]
            latency = time.perf_counter() - began
            cipher = (await session.rows("SHOW STATUS LIKE 'Ssl_cipher'"))[0][1]
            grants = await session.rows("SHOW GRANTS")
        return {
            "server": "MariaDB" if "mariadb" in f"{version} {comment}".lower() else "MySQL",
            "version": version,
            "tls": cipher or None,
            "latency_ms": round(latency * 1_000, 3),
            "read_only": bool(read_only),
            "rights": [_without_password(grant) for (grant,) in grants],
        }


_WHO = "SELECT VERSION(), @@version_comment, @@global.read_only"


def _without_password(grant: str) -> str:
    """MariaDB shows the hash of the password in the grant of USAGE."""
    return grant.partition(" IDENTIFIED ")[0]


def _options(settings: MysqlConnection, root: Path) -> dict[str, Any]:
    """What each driver is told, in the words that both have."""
    password = settings.password
    local = settings.host if settings.host.startswith("/") else None
    return {
        "host": None if local else settings.host,
        "unix_socket": local,
        "port": settings.port,
        "user": settings.user,
        "db": settings.database,
        "password": "" if password is None else password.open_secret(),
        "ssl": tls_context(settings.tls, settings.host, settings.ca_file, root),
        "connect_timeout": settings.connect_timeout,
        "program_name": settings.application_name,
        "charset": "utf8mb4",
        "autocommit": None,
        "local_infile": False,
    }


connector = Connector("mysql", MysqlConnection, FAULTS)
