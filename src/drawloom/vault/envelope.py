"""AES-256-GCM (NIST SP 800-38D): what is sealed, and to what it belongs.

A sealed value is one byte of format, a random nonce of 96 bits, and the text
with its tag of 128 bits. What it belongs to (a tenant, a name, a version) is
authenticated with it, so that it cannot be put in another's place.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from drawloom.errors import VaultUnusable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_FORMAT: Final = b"\x01"


def new_key() -> bytes:
    """A key of 256 random bits."""
    return os.urandom(KEY_BYTES)


def belonging(*parts: str | int) -> bytes:
    """What a sealed value belongs to. Each part has its length before it, so none runs into the next."""
    encoded = [str(part).encode() for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)


def seal(key: bytes, plain: bytes, belongs: bytes) -> bytes:
    """*plain* under *key*, of which only who has the key and knows where it *belongs* reads it."""
    nonce = os.urandom(_NONCE_BYTES)
    return _FORMAT + nonce + _cipher(key).encrypt(nonce, plain, belongs)


def unseal(key: bytes, sealed: bytes, belongs: bytes) -> bytes:
    """What was sealed. Raises `VaultUnusable` where a bit of it, the key or its place differs."""
    cipher = _cipher(key)
    if len(sealed) < 1 + _NONCE_BYTES + _TAG_BYTES or sealed[:1] != _FORMAT:
        raise VaultUnusable("it is cut short, or of a format that this Drawloom does not know")
    from cryptography.exceptions import InvalidTag

    try:
        return cipher.decrypt(sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :], belongs)
    except InvalidTag:
        raise VaultUnusable("it was altered, moved, or sealed with another key") from None


def _cipher(key: bytes) -> AESGCM:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError:
        raise VaultUnusable(
            "secrets at rest need cryptography; pip install 'drawloom[vault]'"
        ) from None
    return AESGCM(key)
