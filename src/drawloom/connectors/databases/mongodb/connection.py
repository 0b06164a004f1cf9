"""Where the server is, who asks, and how many connections it takes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from drawloom.connectors.databases.mongodb.faults import FAULTS
from drawloom.errors import ConnectionUnusable
from drawloom.sdk import Connection, Connector, Secret
from drawloom.sdk.tls import Tls, tls_mode

if TYPE_CHECKING:
    from drawloom.connectors.databases.mongodb.client import Client
    from drawloom.sdk.doors import Doors


class MongodbConnection(Connection):
    """A MongoDB database, and the pool of connections to its server or replica set."""

    # No mark of a URI may stand in it: it is a name or an address, and nothing else.
    host: str = Field(
        "localhost", pattern=r"^[A-Za-z0-9._:-]+$", description="A name or an address."
    )
    port: int = Field(27017, ge=1, le=65_535)
    replica_set: str | None = Field(
        None, description="Its name: then its members are found. Without it: `host` alone."
    )
    database: str = Field(min_length=1, max_length=63, pattern=r'^[^/\\. "$*<>:|?\x00]+$')
    user: str | None = Field(None, min_length=1)
    password: Secret | None = None
    auth_database: str = Field("admin", min_length=1, description="Where the user is known.")
    tls: Tls | None = Field(
        None, description="Without it: verify-full, or off where the host is this machine."
    )
    ca_file: str | None = Field(None, description="PEM certificates to trust, not the system's.")
    min_connections: int = Field(0, ge=0, description="Connections that are kept open.")
    max_connections: int = Field(10, ge=1, le=1_000, description="Connections at most.")
    idle_timeout: float | None = Field(
        None, gt=0, description="Seconds after which an idle connection is closed."
    )
    connect_timeout: float = Field(10.0, gt=0, description="Seconds to reach the server.")
    acquire_timeout: float = Field(30.0, gt=0, description="Seconds to wait for a connection.")
    timeout: float = Field(30.0, ge=0.001, le=86_400, description="Seconds for one operation.")
    application_name: str = Field("drawloom", max_length=63)
    write_concern: Literal["majority"] | int = Field(
        "majority", description="How many members must have a write before it counts."
    )
    read_concern: Literal["local", "majority", "linearizable", "available"] | None = None
    max_documents: int = Field(
        1_000_000, ge=1, description="More of them are an error, unless `limit` is given."
    )
    max_bytes: int = Field(
        16 * 1024 * 1024, ge=1, description="The largest GridFS file that is a value, in bytes."
    )
    folder: str | None = Field(
        None, description="Where files for GridFS are; relative to the project's root."
    )
    max_file_bytes: int = Field(1 << 30, ge=1, description="The largest file in `folder`.")
    allow_javascript: bool = Field(
        False, description="Let filters and pipelines hold JavaScript, which the server runs."
    )

    @asynccontextmanager
    async def open(self, doors: Doors) -> AsyncIterator[Client]:
        """A client that connects when it is first used. Raises `ConnectionUnusable`."""
        from pymongo import AsyncMongoClient

        from drawloom.connectors.databases.mongodb.client import Client
        from drawloom.connectors.databases.mongodb.pool_watch import PoolWatch

        pool = PoolWatch(self.max_connections)
        folder = self.folder and doors.folder(self.folder, max_bytes=self.max_file_bytes)
        driver: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
            **driver_options(self, doors.root), event_listeners=[pool]
        )
        try:
            yield Client(self, driver, folder or None, pool)
        finally:
            pool.stop()
            await driver.close()

    async def check(self, client: Client) -> dict[str, Any]:
        """The server, its version, TLS, the time of a round trip, and the user's roles."""
        started = perf_counter()
        await client.database.command("ping")
        latency = (perf_counter() - started) * 1_000
        hello = await client.database.command("hello")
        about = await client.database.command("buildInfo")
        status = await client.database.command("connectionStatus")
        roles = status["authInfo"]["authenticatedUserRoles"]
        return {
            "server": f"{self.host}:{self.port}",
            "version": about["version"],
            "replica_set": hello.get("setName"),
            "writable": bool(hello.get("isWritablePrimary")),
            "tls": tls_mode(self.tls, self.host) != "off",
            "latency_ms": round(latency, 3),
            "roles": [f"{role['role']}@{role['db']}" for role in roles],
        }


def driver_options(settings: MongodbConnection, root: Path) -> dict[str, Any]:
    """What the driver is told. Its own retries are off: the engine's rules are the only ones."""
    return {
        "host": settings.host,
        "port": settings.port,
        "directConnection": settings.replica_set is None,
        "replicaSet": settings.replica_set,
        "minPoolSize": min(settings.min_connections, settings.max_connections),
        "maxPoolSize": settings.max_connections,
        "maxIdleTimeMS": _milliseconds(settings.idle_timeout),
        "connectTimeoutMS": _milliseconds(settings.connect_timeout),
        "serverSelectionTimeoutMS": _milliseconds(settings.connect_timeout),
        "waitQueueTimeoutMS": _milliseconds(settings.acquire_timeout),
        # Not the driver's timeoutMS: it would take the place of the two above.
        "socketTimeoutMS": _milliseconds(settings.timeout),
        "appName": settings.application_name,
        "retryWrites": False,
        "retryReads": False,
        "w": settings.write_concern,
        "readConcernLevel": settings.read_concern,
        "tz_aware": True,
        "datetime_conversion": "DATETIME_AUTO",
        **_login(settings),
        **_tls(settings, root),
    }


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else max(1, round(seconds * 1_000))


def _login(settings: MongodbConnection) -> dict[str, Any]:
    from pymongo.saslprep import saslprep

    if settings.user is None:
        return {}
    if settings.password is None:
        raise ConnectionUnusable("a user needs a password: give `password` by reference")
    password = settings.password.open_secret()
    try:
        saslprep(password)
    except ValueError:
        told = "no password may hold a line end or another control character, and this one does"
        raise ConnectionUnusable(told) from None
    return {
        "username": settings.user,
        "password": password,
        "authSource": settings.auth_database,
    }


def _tls(settings: MongodbConnection, root: Path) -> dict[str, Any]:
    mode = tls_mode(settings.tls, settings.host)
    if mode == "off":
        return {"tls": False}
    options: dict[str, Any] = {
        "tls": True,
        "tlsAllowInvalidCertificates": mode == "require",
        "tlsAllowInvalidHostnames": mode != "verify-full",
    }
    if settings.ca_file is not None:
        # A relative path begins in the project's folder.
        path = root / settings.ca_file
        if not path.is_file():
            raise ConnectionUnusable(f"ca_file {settings.ca_file!r}: there is no such file")
        options["tlsCAFile"] = str(path)
    return options


connector = Connector("mongodb", MongodbConnection, FAULTS)
