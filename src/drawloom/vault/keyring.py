"""The ring: keys that seal data keys. One is primary; the others open what is older."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from drawloom.errors import VaultUnusable
from drawloom.vault.envelope import belonging, new_key, seal, unseal


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A key of the ring as it is kept: wrapped by the root key of the name *root*."""

    id: str
    root: str
    wrapped: bytes = field(repr=False)
    primary: bool = False


@dataclass(frozen=True, slots=True)
class Ring:
    """The keys by id, and which of them seals what is new."""

    keys: Mapping[str, bytes] = field(repr=False)
    primary: str

    def seal(self, plain: bytes, *belongs: str | int) -> tuple[str, bytes]:
        """*plain* sealed with the primary key: its id, and what may be kept."""
        key = self.primary
        return key, seal(self.keys[key], plain, belonging(*belongs, key))

    def unseal(self, key: str, sealed: bytes, *belongs: str | int) -> bytes:
        """What was sealed with the key of that id. Raises `VaultUnusable`."""
        if key not in self.keys:
            raise VaultUnusable(f"it was sealed with the key {key}, which the ring does not have")
        return unseal(self.keys[key], sealed, belonging(*belongs, key))


def new_wrapped(root: bytes, root_name: str) -> Wrapped:
    """A new primary key, wrapped by *root*."""
    key = os.urandom(8).hex()
    return wrapped_by(root, root_name, key, new_key(), primary=True)


def wrapped_by(root: bytes, root_name: str, id: str, key: bytes, *, primary: bool) -> Wrapped:
    """A key of the ring as it is kept under the root key *root*."""
    return Wrapped(id, root_name, seal(root, key, belonging("ring", id)), primary)


def open_ring(kept: Iterable[Wrapped], root: bytes, name_of: Callable[[bytes], str]) -> Ring:
    """The ring that *root* opens. Raises `VaultUnusable`: another root key, or an altered ring."""
    keys, primary = {}, ""
    for wrapped in kept:
        if wrapped.root != name_of(root):
            raise VaultUnusable(
                f"the vault was closed with another root key (of the name {wrapped.root}, not "
                f"{name_of(root)}); restore that one"
            )
        try:
            keys[wrapped.id] = unseal(root, wrapped.wrapped, belonging("ring", wrapped.id))
        except VaultUnusable as exc:
            raise VaultUnusable(f"the key {wrapped.id} of the ring: {exc}") from None
        primary = wrapped.id if wrapped.primary else primary
    if not primary:
        raise VaultUnusable("the ring has no primary key; restore the vault from a copy")
    return Ring(keys, primary)
