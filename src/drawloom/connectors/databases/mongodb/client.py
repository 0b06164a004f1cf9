"""The open client: one database of the server, and what the tools may do with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drawloom.errors import Failure, FailureKind, ToolError, invalid

if TYPE_CHECKING:
    from pymongo import AsyncMongoClient
    from pymongo.asynchronous.collection import AsyncCollection
    from pymongo.asynchronous.database import AsyncDatabase

    from drawloom.connectors.databases.mongodb.connection import MongodbConnection
    from drawloom.sdk.doors import Folder

_LONGEST_NAME = 200  # bytes, so that with the database it stays under the server's 255


class Client:
    """A database, shared by every step that is bound to it. `folder` has files for GridFS."""

    def __init__(
        self,
        settings: MongodbConnection,
        driver: AsyncMongoClient[dict[str, Any]],
        folder: Folder | None,
    ) -> None:
        self.settings = settings
        self.driver = driver
        self._folder = folder
        self.database: AsyncDatabase[dict[str, Any]] = driver[settings.database]

    def collection(self, name: str) -> AsyncCollection[dict[str, Any]]:
        """A collection by its name, where that is one. The server's own are out of reach."""
        return self.database[checked_name(name)]

    @property
    def folder(self) -> Folder:
        """The folder for files. Raises where the connection names none."""
        if self._folder is None:
            raise invalid("the connection has no `folder` for files; set it, or give bytes")
        return self._folder

    @property
    def max_time(self) -> int:
        """Milliseconds after which the server itself gives up looking."""
        return max(1, round(self.settings.timeout * 1_000))

    @property
    def javascript(self) -> bool:
        """Whether filters and pipelines may hold JavaScript."""
        return self.settings.allow_javascript

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
