"""Secrets by name: set, read, removed; each version sealed with a data key of its own."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Final

from drawloom.errors import ValueInvalid, VaultUnusable
from drawloom.vault.envelope import belonging, new_key, seal, unseal
from drawloom.vault.keys import Keys
from drawloom.vault.store import Principal, Store

KEPT: Final = 3  # versions of a secret
LARGEST: Final = 64 * 1024  # bytes
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}\Z")


@dataclass(frozen=True, slots=True)
class About:
    """A secret without its value. Times in microseconds since 1970."""

    name: str
    version: int
    kept: int
    made_at: int
    changed_at: int
    changed_by: str
    key: str


class Secrets:
    """The secrets of one vault. Nothing here is done without a principal."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store = store
        self._keys = keys

    def set(self, principal: Principal, name: str, value: str) -> int:
        """Keep *value* as the newest version of the secret; its number."""
        _check(name, value)
        ring = self._keys.opened_or_made()
        with self._store.changing():
            ring = self._keys.again(ring)  # another process may have rotated meanwhile
            version = self._last(principal, name) + 1
            data = new_key()
            belongs = (principal.tenant, name, version)
            sealed = seal(data, value.encode(), belonging("secret", *belongs))
            key, wrapped = ring.seal(data, "data key", *belongs)
            now, who = time.time_ns() // 1000, principal.who
            self._store.rows("add_secret", *belongs, key, wrapped, sealed, now, who)
            self._store.rows("forget_versions", principal.tenant, name, version - KEPT)
            self._store.audit(principal, "set secret", name, version)
        return version

    def get(self, principal: Principal, name: str) -> str:
        """The newest value. Raises `ValueInvalid` where there is none, `VaultUnusable`."""
        row = self._store.row("latest", principal.tenant, name)
        if row is None:
            raise ValueInvalid(f"there is no secret {name!r}; `drawloom secrets set {name}`")
        version, key, wrapped, sealed = row
        belongs = (principal.tenant, name, version)
        try:
            data = self._keys.opened().unseal(key, wrapped, "data key", *belongs)
            return unseal(data, sealed, belonging("secret", *belongs)).decode()
        except VaultUnusable as exc:
            raise VaultUnusable(f"the secret {name!r}: {exc}") from None

    def list(self, principal: Principal) -> list[About]:
        """Every secret, by name; no value is opened."""
        return [About(*row) for row in self._store.rows("secrets", principal.tenant)]

    def remove(self, principal: Principal, name: str) -> None:
        """Forget the secret, all versions. Raises `ValueInvalid` where there is none."""
        with self._store.changing():
            if not self._store.rows("remove_secret", principal.tenant, name):
                raise ValueInvalid(f"there is no secret {name!r}")
            self._store.audit(principal, "removed secret", name)

    def _last(self, principal: Principal, name: str) -> int:
        """The newest version that there ever was: a number is used once."""
        return int(self._store.row("last_version", principal.tenant, name)[0] or 0)


def _check(name: str, value: str) -> None:
    if not _NAME.match(name):
        raise ValueInvalid(
            "the name of a secret has letters, digits, _, - and . (at most 128), and begins with "
            "a letter"
        )
    if not value:
        raise ValueInvalid(f"the secret {name!r} is empty")
    if len(value.encode()) > LARGEST:
        raise ValueInvalid(f"the secret {name!r} is over {LARGEST} bytes")
