"""Where the server is, who asks, and how many connections it takes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from pydantic import Field

from drawloom.connectors.databases.redis.faults import FAULTS
from drawloom.sdk import Connection, Connector, Secret
from drawloom.sdk.tls import Tls, tls_context

if TYPE_CHECKING:
    from drawloom.connectors.databases.redis.client import Client
    from drawloom.sdk.doors import Doors


class RedisConnection(Connection):
    """A Redis or Valkey server, one of its databases, and the pool of connections to it."""

    host: str = Field("localhost", min_length=1, description="A name or an address.")
    port: int = Field(6379, ge=1, le=65_535)
    database: int = Field(0, ge=0, description="The number of the database.")
    user: str = Field("default", min_length=1, description="A user of its access lists (ACL).")
    password: Secret | None = None
    tls: Tls | None = Field(
        None, description="Without it: verify-full, or off where the host is this machine."
    )
    ca_file: str | None = Field(None, description="PEM certificates to trust, not the system's.")
    min_connections: int = Field(0, ge=0, description="Connections that are kept open.")
    max_connections: int = Field(10, ge=1, le=1_000, description="Connections at most.")
    connect_timeout: float = Field(10.0, gt=0, description="Seconds to reach the server.")
    acquire_timeout: float = Field(30.0, gt=0, description="Seconds to wait for a connection.")
    timeout: float = Field(30.0, ge=0.001, le=86_400, description="Seconds for one command.")
    idle_timeout: float = Field(
        300.0, gt=0, description="Seconds that a connection may lie idle before it is closed."
    )
    lifetime: float = Field(
        3_600.0, gt=0, description="Seconds that a connection is used before it is made anew."
    )
    client_name: str = Field(
        "drawloom",
        max_length=63,
        pattern=r"^[!-~]*$",
        description="What CLIENT LIST shows; the empty text sets no name.",
    )
    max_items: int = Field(
        100_000, ge=1, description="A reply of more items is an error: use the tool that streams."
    )
    note_seconds: int = Field(
        86_400,
        ge=1,
        description="Seconds that a `keyed` tool's note is kept, by which it knows a repeated call.",
    )
    allow_scripts: bool = Field(False, description="Whether `redis.script` may run Lua.")

    @asynccontextmanager
    async def open(self, doors: Doors) -> AsyncIterator[Client]:
        """A client that connects when it is first used. Raises `ConnectionUnusable`."""
        from drawloom.connectors.databases.redis.client import Client
        from drawloom.connectors.databases.redis.server import Server

        client = Client(
            self,
            Server(
                self, _secret(self), tls_context(self.tls, self.host, self.ca_file, doors.root)
            ),
        )
        try:
            yield client
        finally:
            await client.close()

    async def check(self, client: Client) -> dict[str, Any]:
        """Server, version, role, user, TLS, and the milliseconds of one round trip."""
        return await client.describe()


def _secret(settings: RedisConnection) -> str | None:
    return None if settings.password is None else settings.password.open_secret()


connector = Connector("redis", RedisConnection, FAULTS)
