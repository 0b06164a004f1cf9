"""Connections and secrets at rest: an encrypted store, its keys, and sources outside.

A value is sealed with a data key of its own, that with a key of the ring, and the
ring with the root key. May import `db`, `sdk`, `doors` and `errors`.
"""

from __future__ import annotations

from drawloom.vault.hashicorp import Hashicorp
from drawloom.vault.root_key import RootKeyPlace
from drawloom.vault.store import FILE, Principal
from drawloom.vault.vault import Vault

__all__ = ["FILE", "Hashicorp", "Principal", "RootKeyPlace", "Vault"]
