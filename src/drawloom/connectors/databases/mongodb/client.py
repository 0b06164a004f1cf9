"""The open client: one database of the server, and what the tools may do with it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from drawloom.connectors.databases.mongodb.filters import Language
from drawloom.errors import Failure, FailureKind, ToolError, invalid
from drawloom.sdk.pooling import Places

if TYPE_CHECKING:
    from pymongo import AsyncMongoClient
    from pymongo.asynchronous.collection import AsyncCollection
    from pymongo.asynchronous.database import AsyncDatabase

    from drawloom.connectors.databases.mongodb.connection import MongodbConnection
    from drawloom.connectors.databases.mongodb.pool_watch import PoolWatch
    from drawloom.sdk.doors import Folder

_LONGEST_NAME = 200  # bytes, so that with the database it stays under the server's 255
_KNOWN = 256  # collections that are kept ready; names may come from data


class Turns:
    """A turn for each connection of the pool; who comes when all are taken waits in order.

    The driver's own queue would do the same, but starts a task for everyone who waits
    in it for a limited time, which costs a third of a call. It stays for what takes
    no turn: what is rare, and what waits on the server for long.
    """

    def __init__(self, most: int, patience: float) -> None:
        self._most = most
        self.places = Places(most, patience, self._full)

    async def __aenter__(self) -> None:
        if not self.places.take():
            await self.places.turn()

    async def __aexit__(self, *_: object) -> None:
        self.places.leave()

    def _full(self) -> ToolError:
        message = (
            f"no connection came free in time (the pool has {self._most} at most);"
            " raise max_connections, or lower the step's concurrency"
        )
        return ToolError(Failure(FailureKind.THROTTLED, message, harmless=True))


class Client:
    """A database, shared by every step that is bound to it. `folder` has files for GridFS.

    `turns` is entered around a command, and never around what waits for anything else.
    `language` says what filters and pipelines may hold. `pool` tells of the driver's pool.
    """

    def __init__(
        self,
        settings: MongodbConnection,
        driver: AsyncMongoClient[dict[str, Any]],
        folder: Folder | None,
        pool: PoolWatch,
    ) -> None:
        self.settings = settings
        self.driver = driver
        self.pool = pool
        self._folder = folder
        self.database: AsyncDatabase[dict[str, Any]] = driver[settings.database]
        self.turns = Turns(settings.max_connections, settings.acquire_timeout)
        pool.waits_at(self.turns.places)
        self.language = Language(settings.allow_javascript)
        # Milliseconds after which the server itself gives up looking.
        self.max_time = max(1, round(settings.timeout * 1_000))
        self._collection = lru_cache(_KNOWN)(self._named)

    def collection(self, name: str) -> AsyncCollection[dict[str, Any]]:
        """A collection by its name, where that is one. The server's own are out of reach."""
        return self._collection(name)

    def _named(self, name: str) -> AsyncCollection[dict[str, Any]]:
        return self.database[checked_name(name)]

    @property
    def folder(self) -> Folder:
        """The folder for files. Raises where the connection names none."""
        if self._folder is None:
            raise invalid("the connection has no `folder` for files; set it, or give bytes")
        return self._folder

    def within(self, count: int, what: str = "result") -> None:
        """Refuse what is more than the connection allows, and say what to do."""
        most = self.settings.max_documents
        if count > most:
            raise invalid(
                f"the {what} has more than {most} documents, the connection's max_documents;"
                " give `limit`, or read it with mongodb.stream"
            )


def checked_name(name: str) -> str:
    """*name* where it can be that of a collection of ours."""
    bad = not name or "\0" in name or "$" in name or name.startswith((".", "system."))
    if bad or name.endswith(".") or ".." in name or len(name.encode()) > _LONGEST_NAME:
        raise invalid(f"{name!r:.80} is no name for a collection")
    return name


def missing(message: str) -> ToolError:
    """The refusal for what is not there."""
    return ToolError(Failure(FailureKind.MISSING, message))
