"""Open clients once, share them between runs, close them at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, TypeAlias

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


class Clients:
    """The open clients of one engine, one per stored connection."""

    def __init__(
        self, catalogue: Catalogue, connections: Mapping[str, StoredConnection], doors: Doors
    ) -> None:
        self.catalogue = catalogue
        self._connections = connections
        self._doors = doors
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

    async def check(self, name: str) -> None:
        """Ask the service of a connection how it is. Raises where it is not well."""
        client = await self.get(name)
        await self.stored(name).typed(self.catalogue).check(client)

    async def _opened(self, name: str) -> Any:
        stored = self.stored(name)
        settings = stored.typed(self.catalogue)
        async with asyncio.timeout(OPEN_WITHIN):
            return await self._stack.enter_async_context(settings.open(self._doors))

    def stored(self, name: str) -> StoredConnection:
        """The configuration of a connection. Raises `ConnectionUnusable` if there is none."""
        if name not in self._connections:
            known = ", ".join(sorted(self._connections)) or "none"
            raise ConnectionUnusable(
                f"there is no connection {name!r} (known: {known}); add [connections.{name}] to "
                "drawloom.toml, or bind the slot to another with --bind SLOT=NAME"
            )
        return self._connections[name]

    async def aclose(self) -> None:
        """Close every client, the last opened first."""
        self._open.clear()
        await self._stack.aclose()
