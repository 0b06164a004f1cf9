"""Connections at rest: kind and settings, secrets as references, and where they may be sent to."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from drawloom.errors import ValueInvalid
from drawloom.vault import proofs
from drawloom.vault.keys import Keys
from drawloom.vault.store import Principal, Store


@dataclass(frozen=True, slots=True)
class KeptConnection:
    """One connection. *origins* are where its secrets go, and may go to. Times in microseconds."""

    name: str
    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    origins: tuple[str, ...] = ()
    version: int = 0
    made_at: int = 0
    changed_at: int = 0


class Connections:
    """The connections of one vault."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store = store
        self._keys = keys

    def all(self, principal: Principal) -> dict[str, KeptConnection]:
        """Every connection by name; no key is needed."""
        rows = self._store.rows("connections", principal.tenant)
        return {row[0]: _kept(row) for row in rows}

    def put(self, principal: Principal, kept: KeptConnection, *, secret: bool) -> int:
        """Store it, or store it anew; its version. *secret*: it has secrets, so it is proven."""
        ring = self._keys.opened_or_made() if secret else None
        with self._store.changing():
            old = self.all(principal).get(kept.name)
            version = self._store.version() + 1  # never used before
            row = _row(principal, kept, version)
            key, proof = proofs.prove(self._keys.again(ring), row) if ring else (None, None)
            self._store.rows("put_connection", *row, key, proof, time.time_ns() // 1000)
            did = "changed connection" if old else "added connection"
            self._store.audit(principal, did, kept.name, version)
        return version

    def remove(self, principal: Principal, name: str) -> None:
        """Forget it; its secrets stay. Raises `ValueInvalid` where there is none."""
        with self._store.changing():
            if not self._store.rows("remove_connection", principal.tenant, name):
                raise ValueInvalid(f"there is no connection {name!r} in the vault")
            self._store.audit(principal, "removed connection", name)

    def check(self, principal: Principal, kept: KeptConnection) -> None:
        """Raises `VaultUnusable` where it is not as it was stored with its secrets."""
        for row in self._store.rows("connections", principal.tenant):
            if row[0] == kept.name:
                proven = (principal.tenant, *row[:5])
                proofs.check(self._keys.opened(), proven, row[7], row[8])


def _kept(row: Any) -> KeptConnection:
    name, kind, settings, origins, version, made_at, changed_at, *_ = row
    given, allowed = json.loads(settings), tuple(json.loads(origins))
    return KeptConnection(name, kind, given, allowed, version, made_at, changed_at)


def _row(principal: Principal, kept: KeptConnection, version: int) -> tuple[Any, ...]:
    settings = json.dumps(kept.settings, sort_keys=True, ensure_ascii=False)
    origins = json.dumps(list(kept.origins))
    return principal.tenant, kept.name, kept.kind, settings, origins, version
