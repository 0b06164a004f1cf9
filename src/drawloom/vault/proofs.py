"""That a connection is as it was stored: its row is authenticated by a key of the ring.

Without this, whoever can write the file, but has no root key, could change a host
and be sent the secret of another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from drawloom.errors import VaultUnusable
from drawloom.vault.keyring import Ring

_COLUMNS = 6  # tenant, name, kind, settings, origins, version


def prove(ring: Ring, row: Sequence[Any]) -> tuple[str, bytes]:
    """The key and the proof for a row of `connections`."""
    return ring.seal(b"", "connection", *row[:_COLUMNS])


def check(ring: Ring, row: Sequence[Any], key: str | None, proof: bytes | None) -> None:
    """Raises `VaultUnusable` where the row is not as it was stored."""
    advice = f"remove the connection {row[1]!r} and add it again"
    if key is None or proof is None:
        raise VaultUnusable(f"the connection {row[1]!r} was written by hand; {advice}")
    try:
        ring.unseal(key, proof, "connection", *row[:_COLUMNS])
    except VaultUnusable:
        raise VaultUnusable(f"the connection {row[1]!r} was altered by hand; {advice}") from None


def prove_anew(ring: Ring, row: Sequence[Any]) -> tuple[str, bytes]:
    """The proof of the row by the primary key, once the one that it has was checked."""
    check(ring, row, row[_COLUMNS], row[_COLUMNS + 1])
    return prove(ring, row)
