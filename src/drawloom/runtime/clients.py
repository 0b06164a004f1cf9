"""Open clients once, share them between runs, close them at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from pydantic import ValidationError

from drawloom.doors import Doors
from drawloom.errors import ConnectionUnusable
from drawloom.runtime.catalogue import Catalogue, UnknownTool, how_to_install
from drawloom.sdk import Connection

OPEN_WITHIN = 30.0  # seconds

Bindings: TypeAlias = Mapping[str, str]  # a chain's slot -> the name of a stored connection


@dataclass(frozen=True, slots=True)
class StoredConnection:
    """A connection as configured: its kind and its settings, secrets as references."""

    name: str
    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def typed(self, catalogue: Catalogue) -> Connection:
        """The settings as the connector's model.

        Raises `ConnectionUnusable` naming the field, or the package that is missing.
        """
        try:
            model = catalogue.connector(self.kind).connection
        except UnknownTool as exc:
            raise ConnectionUnusable(f"connection {self.name!r}: unknown kind; {exc}") from None
        if model is None:
            raise ConnectionUnusable(f"connection {self.name!r}: {self.kind} needs no connection")
        if missing := catalogue.lacking(self.kind):
            raise ConnectionUnusable(
                f"connection {self.name!r}: {self.kind} needs {', '.join(missing)}, not installed "
                f"here; {how_to_install(self.kind, catalogue.about(self.kind))}"
            )
        try:
            return model(**self.settings)
        except ValidationError as exc:
            raise ConnectionUnusable(f"connection {self.name!r}: {_first(exc)}") from None


def _first(exc: ValidationError) -> str:
    """The faults in words, without the values: one of them may be a secret typed in clear."""
    faults = exc.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, f['loc'])) or 'settings'}: {f['msg']}" for f in faults)


class SecretSource(Protocol):
    """Where secrets are kept, and connections that may change while an engine runs."""

    def version(self) -> int:
        """Grows with every change of either; cheap to ask."""

    def connections(self) -> Mapping[str, StoredConnection]:
        """The connections that it keeps, as they are now."""

    async def hand_over(self, stored: StoredConnection, settings: Connection) -> None:
        """Hand each secret of *settings* its value. Raises `ConnectionUnusable`."""


class Clients:
    """The open clients of one engine, one per stored connection.

    What *source* keeps is asked for whenever a client is opened.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        connections: Mapping[str, StoredConnection],
        doors: Doors,
        source: SecretSource | None = None,
    ) -> None:
        self.catalogue = catalogue
        self._connections = connections
        self._doors = doors
        self._source = source
        self._open: dict[str, Any] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._stack = AsyncExitStack()

    def ready(self, name: str) -> Any:
        """The client if it is open already, else None."""
        return self._open.get(name)

    async def get(self, name: str) -> Any:
        """The client of a connection, opened at its first use."""
        if name in self._open:
            return self._open[name]
        async with self._locks.setdefault(name, asyncio.Lock()):
            if name not in self._open:
                self._open[name] = await self._opened(name)
        return self._open[name]

    async def _opened(self, name: str) -> Any:
        async with asyncio.timeout(OPEN_WITHIN):
            settings = await self.settings(name)
            return await self._stack.enter_async_context(settings.open(self._doors))

    async def settings(self, name: str) -> Connection:
        """The settings of a connection as they are now, its secrets ready to be opened."""
        stored = self.stored(name)
        settings = stored.typed(self.catalogue)
        if self._source is not None:
            await self._source.hand_over(stored, settings)
        return settings

    def stored(self, name: str) -> StoredConnection:
        """The configuration of a connection. Raises `ConnectionUnusable` if there is none."""
        kept = {} if self._source is None else self._source.connections()
        found = kept.get(name) or self._connections.get(name)
        if found is None:
            known = ", ".join(sorted({*self._connections, *kept})) or "none"
            raise ConnectionUnusable(
                f"there is no connection {name!r} (known: {known}); `drawloom connections add "
                f"{name}` or add [connections.{name}] to drawloom.toml, or bind the slot to "
                "another with --bind SLOT=NAME"
            )
        return found

    async def aclose(self) -> None:
        """Close every client, the last opened first."""
        self._open.clear()
        await self._stack.aclose()
