"""Where the server is, who asks, and how many connections it takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from pydantic import Field

from drawloom.connectors.databases.postgresql.faults import FAULTS
from drawloom.sdk import Connection, Connector, Secret
from drawloom.sdk.tls import Tls, tls_context

if TYPE_CHECKING:
    from drawloom.connectors.databases.postgresql.client import Client
    from drawloom.sdk.doors import Doors

_CHECK = """
SELECT 'PostgreSQL' AS server, current_setting('server_version') AS version,
    pg_is_in_recovery() AS standby,
    (SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()) AS tls,
    current_user::text AS "user",
    me.rolsuper AS superuser,
    has_database_privilege(current_database(), 'CREATE') AS may_create_schemas,
    ARRAY(SELECT r.rolname::text FROM pg_roles r WHERE NOT me.rolsuper AND r.oid <> me.oid
        AND pg_has_role(me.oid, r.oid, 'MEMBER') ORDER BY 1) AS roles,
    ARRAY(SELECT word || ' ON DATABASE ' || quote_ident(current_database())
            FROM unnest(ARRAY['CONNECT', 'CREATE', 'TEMPORARY']) AS word
            WHERE has_database_privilege(current_database(), word)
        UNION ALL SELECT word || ' ON SCHEMA ' || quote_ident(place)
            FROM unnest(current_schemas(false)::text[]) AS place,
                unnest(ARRAY['USAGE', 'CREATE']) AS word
            WHERE has_schema_privilege(place, word)) AS rights
FROM pg_roles me WHERE me.rolname = current_user
"""


class PostgresqlConnection(Connection):
    """A PostgreSQL database, and the pool of connections to it.

    Everything is said here: the environment variables and files that libpq
    reads (PGPASSWORD, .pgpass, pg_service.conf) are not looked at.
    """

    host: str = Field("localhost", min_length=1, description="A name, an address or a socket.")
    port: int = Field(5432, ge=1, le=65_535)
    database: str = Field(min_length=1)
    user: str = Field(min_length=1)
    password: Secret | None = None
    tls: Tls | None = Field(
        None, description="Without it: verify-full, or off where the host is this machine."
    )
    ca_file: str | None = Field(None, description="PEM certificates to trust, not the system's.")
    min_connections: int = Field(0, ge=0, description="Connections that are kept open.")
    max_connections: int = Field(10, ge=1, le=1_000, description="Connections at most.")
    connect_timeout: float = Field(10.0, gt=0, description="Seconds to reach the server.")
    acquire_timeout: float = Field(30.0, gt=0, description="Seconds to wait for a connection.")
    lifetime: float = Field(3600.0, gt=0, description="Seconds that a connection is used at most.")
    idle_timeout: float = Field(300.0, ge=0, description="Seconds unused until it is closed.")
    timeout: float = Field(30.0, ge=0.001, le=86_400, description="Seconds for one statement.")
    application_name: str = Field("drawloom", max_length=63)
    max_rows: int = Field(
        1_000_000, ge=1, description="A result of more rows is an error, unless `limit` is given."
    )
    folder: str | None = Field(
        None, min_length=1, description="Where files for COPY are; relative to the project's root."
    )
    max_file_bytes: int = Field(1 << 30, ge=1, description="The largest file in `folder`.")

    @asynccontextmanager
    async def open(self, doors: Doors) -> AsyncIterator[Client]:
        """A client that connects when it is first used. Raises `ConnectionUnusable`."""
        from drawloom.connectors.databases.postgresql.client import Client

        folder = None
        if self.folder is not None:
            most = self.max_file_bytes
            folder = await asyncio.to_thread(doors.folder, self.folder, max_bytes=most)
        client = Client(self, _options(self, doors.root), folder)
        try:
            yield client
        finally:
            await client.close()

    async def check(self, client: Client) -> dict[str, Any]:
        """The server, whether it takes writes, TLS, the time of a round trip, the user's rights."""
        async with client.reading() as connection:
            began = perf_counter()
            await connection.execute("SELECT 1")
            latency = perf_counter() - began
            [row] = await connection.fetch(_CHECK)
        return {**row, "latency_ms": round(latency * 1_000, 3)}


def _options(settings: PostgresqlConnection, root: Path) -> dict[str, Any]:
    """What the driver is told. Every option is given, so that it asks no environment."""
    password = settings.password
    return {
        "host": settings.host,
        "port": settings.port,
        "user": settings.user,
        "database": settings.database,
        "password": "" if password is None else password.open_secret(),
        "ssl": tls_context(settings.tls, settings.host, settings.ca_file, root) or False,
        "direct_tls": False,
        "target_session_attrs": "any",
        "timeout": settings.connect_timeout,
        "server_settings": {
            "application_name": settings.application_name,
            "statement_timeout": str(max(1, round(settings.timeout * 1_000))),
        },
    }


connector = Connector("postgresql", PostgresqlConnection, FAULTS)
