"""Hands connections their secrets: from the vault, from a server outside, from this process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from drawloom.doors import Doors
from drawloom.errors import ConnectionUnusable, ValueInvalid, VaultUnusable
from drawloom.runtime import StoredConnection
from drawloom.sdk import Connection, Secret
from drawloom.sdk.secret import secrets_in
from drawloom.vault import Hashicorp, Principal, Vault


@dataclass
class ProjectSecrets:
    """A `SecretSource` on one vault, and on a server where the settings name one."""

    vault: Vault
    principal: Principal
    hashicorp: Hashicorp | None
    doors: Doors
    _read: tuple[int, dict[str, StoredConnection]] = field(default=(-1, {}), init=False)

    def version(self) -> int:
        """Grows with every change of the vault."""
        return self.vault.store.version()

    def connections(self) -> Mapping[str, StoredConnection]:
        """The connections of the vault; read again only where it has changed."""
        version = self.version()
        if version != self._read[0]:
            kept = self.vault.connections.all(self.principal).values()
            found = {c.name: StoredConnection(c.name, c.kind, c.settings) for c in kept}
            self._read = (version, found)
        return self._read[1]

    async def hand_over(self, stored: StoredConnection, settings: Connection) -> None:
        """Hand each secret of *settings* its value. Raises `ConnectionUnusable`, naming the field."""
        secrets = list(secrets_in(settings))
        if secrets:
            self._may_have(stored, settings)
        for at, secret in secrets:
            try:
                value = await self._value(secret)
            except (ConnectionUnusable, ValueInvalid, VaultUnusable) as exc:
                where = f"connection {stored.name!r}: {at}"
                raise ConnectionUnusable(f"{where}: {exc}") from None
            if value is not None:
                secret.hand(value)

    async def _value(self, secret: Secret) -> str | None:
        """None where the secret is read by itself, when it is opened."""
        [(kind, name)] = secret.reference.items()
        if kind == "vault":
            return self.vault.secrets.get(self.principal, name)
        if kind == "hashicorp":
            if self.hashicorp is None:
                raise ConnectionUnusable("drawloom.toml has no [secrets.hashicorp]")
            return await self.hashicorp.value(name, self.doors)
        return None

    def _may_have(self, stored: StoredConnection, settings: Connection) -> None:
        """A connection of the vault gets secrets only as it was stored, and for its address."""
        kept = self.vault.connections.all(self.principal).get(stored.name)
        if kept is None:
            return
        try:
            self.vault.connections.check(self.principal, kept)
        except VaultUnusable as exc:
            raise ConnectionUnusable(str(exc)) from None
        if settings.destination() not in kept.origins:
            raise ConnectionUnusable(
                f"connection {stored.name!r}: its secrets are for {', '.join(kept.origins)}, "
                f"not for {settings.destination()}"
            )
