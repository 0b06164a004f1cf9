"""Open clients once, share them between runs, close them at the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from pydantic import ValidationError

from drawloom.doors import Doors
from drawloom.errors import ConnectionUnusable, Failure
from drawloom.facts import Fact, PoolChanged
from drawloom.runtime.catalogue import Catalogue, UnknownTool, how_to_install
from drawloom.runtime.redacting import redacted, values_of
from drawloom.sdk import Connection
from drawloom.sdk.pooling import PoolState, Watched
from drawloom.sdk.secret import secrets_in

OPEN_WITHIN = 30.0  # seconds
LOOK_AGAIN = 5.0  # seconds between two looks whether a refused client's secret is another
KEPT_OPEN = 86_400.0  # seconds, the longest that a call may take with any connector

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
        model = self.model(catalogue)
        try:
            return model(**self.settings)
        except ValidationError as exc:
            raise ConnectionUnusable(f"connection {self.name!r}: {_first(exc)}") from None

    def model(self, catalogue: Catalogue) -> type[Connection]:
        """The model of its settings. Raises `ConnectionUnusable`, as `typed` does."""
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
        return model


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


class _Used:
    """An open client, and with what it was opened."""

    __slots__ = (
        "again",
        "client",
        "given_up_at",
        "looked_at",
        "opened_at",
        "settings",
        "stack",
        "version",
    )

    def __init__(self, settings: Connection, version: int, again: bool) -> None:
        self.client: Any = None
        self.settings = settings
        self.version = version  # of the source
        self.again = again  # another was open before it
        self.stack = AsyncExitStack()
        self.opened_at = time.perf_counter_ns()
        self.given_up_at = 0  # on the same clock
        self.looked_at = time.monotonic()


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
        self.changed: Callable[[StoredConnection], None] | None = None  # told of a renewed client
        self.tell: Callable[[Fact], None] | None = None  # set while somebody watches
        self._connections = connections
        self._doors = doors
        self._source = source
        self._open: dict[str, Any] = {}
        self._used: dict[str, _Used] = {}
        self._given: set[str] = set()  # every secret
        self._retired: list[tuple[float, _Used]] = []
        self._locks: dict[str, asyncio.Lock] = {}
        self._looks: dict[str, asyncio.Lock] = {}
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
        await self._used[name].settings.check(client)

    async def renewed(self, name: str, since: int) -> bool:
        """Whether a client that was refused is another now, as its secrets or settings are.

        The next `get` opens it; the old one stays open for the calls that have it.
        *since* is when the refused call began (`time.perf_counter_ns`).
        """
        used = self._used.get(name)
        if used is None or (used.again and used.opened_at > since):
            return used is not None
        async with self._looks.setdefault(name, asyncio.Lock()):  # others are refused just now
            return used.given_up_at > since or await self._outdated(name, used)

    async def _outdated(self, name: str, used: _Used) -> bool:
        """Whether a client has other secrets or settings than it should; it is given up then."""
        if not self._may_have_changed(used):
            return False
        try:
            fresh = await self.settings(name)
        except ConnectionUnusable:
            return False
        if fresh == used.settings and values_of(fresh) == values_of(used.settings):
            return False
        used.given_up_at = time.perf_counter_ns()
        if self._used.get(name) is used and self._open.pop(name, None) is not None:
            self._retired.append((time.monotonic(), used))
        return True

    def redact(self, failure: Failure) -> Failure:
        """*failure* without any secret that a client was ever given."""
        return redacted(failure, self._given)

    async def settings(self, name: str) -> Connection:
        """The settings of a connection as they are now, its secrets ready to be opened."""
        stored = self.stored(name)
        settings = stored.typed(self.catalogue)
        if self._source is not None:
            await self._source.hand_over(stored, settings)
        for _, secret in secrets_in(settings):
            with suppress(ConnectionUnusable):  # who opens it says what is wrong
                secret.hand(secret.open_secret())
        self._given.update(values_of(settings))
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
        self._used.clear()
        await self._stack.aclose()

    async def _opened(self, name: str) -> Any:
        await self._close_retired()
        version = 0 if self._source is None else self._source.version()
        async with asyncio.timeout(OPEN_WITHIN):
            settings = await self.settings(name)
            used = _Used(settings, version, name in self._used)
            used.client = await used.stack.enter_async_context(settings.open(self._doors))
        self._stack.push_async_exit(used.stack)
        self._watch(name, getattr(used.client, "pool", None))
        if used.again and self.changed is not None:
            self.changed(self.stored(name))
        self._used[name] = used
        return used.client

    def _watch(self, name: str, pool: Any) -> None:
        """Have the state of a client's pool told as a fact, if it tells of it."""
        if not isinstance(pool, Watched):
            return

        def told(state: PoolState) -> None:
            if self.tell is not None:
                self.tell(PoolChanged(name, *state, pool.most, time.time_ns() // 1000))

        pool.watch(told)

    def _may_have_changed(self, used: _Used) -> bool:
        """Whether to look: at once if the source has changed, else now and then."""
        version = 0 if self._source is None else self._source.version()
        now = time.monotonic()
        if version == used.version and now - used.looked_at < LOOK_AGAIN:
            return False
        used.version, used.looked_at = version, now
        return True

    async def _close_retired(self) -> None:
        """Close the clients that were given up so long ago that no call can have them."""
        now = time.monotonic()
        old = [used for since, used in self._retired if now - since > KEPT_OPEN]
        self._retired = [pair for pair in self._retired if now - pair[0] <= KEPT_OPEN]
        for used in old:
            await used.stack.aclose()
