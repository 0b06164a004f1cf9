"""Secrets that are shown once: session ids, one-time links and API tokens.

Each has 256 random bits, so its SHA-256 is all that need be kept: nobody can guess
what it is of. A token is `drl_`, the bits, and a checksum (CRC-32) of both, in letters
and digits, so that whoever scans for leaked secrets can tell one, without asking:
`drl_[0-9A-Za-z]{49}`.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable
from typing import Final, NoReturn, TypeAlias

Entropy: TypeAlias = Callable[[int], bytes]

PREFIX: Final = "drl_"
_BYTES: Final = 32
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BODY: Final = 43  # 62 ** 43 > 2 ** 256
_SUM: Final = 6  # 62 ** 6 > 2 ** 32
_LONGEST: Final = 128


class Shown:
    """A secret that is given to its owner once. No str, repr, or pickle of it shows it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The secret. For the one answer that hands it over."""
        return self._text

    def __repr__(self) -> str:
        return "Shown(…)"

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret that is shown once is not copied or pickled")


def new_secret(entropy: Entropy) -> Shown:
    """256 random bits, fit for a cookie and a URL."""
    return Shown(base64.urlsafe_b64encode(entropy(_BYTES)).decode().rstrip("="))


def new_token(entropy: Entropy) -> Shown:
    """An API token."""
    body = PREFIX + _digits(int.from_bytes(entropy(_BYTES)), _BODY)
    return Shown(body + _checksum(body))


def is_token(text: str) -> bool:
    """Whether *text* is whole; not whether it is any good."""
    body = text[:-_SUM]
    shaped = text.startswith(PREFIX) and len(text) == len(PREFIX) + _BODY + _SUM
    return shaped and text.isascii() and _checksum(body) == text[-_SUM:]


def digest(text: str) -> bytes | None:
    """What is kept of a secret; None for what cannot be one."""
    if len(text) > _LONGEST or not text.isascii():
        return None
    return hashlib.sha256(text.encode()).digest()


def new_id(entropy: Entropy, kind: str) -> str:
    """An id that is never used again: *kind*, `_`, and 128 random bits."""
    return f"{kind}_{entropy(16).hex()}"


def _digits(number: int, count: int) -> str:
    found = ""
    for _ in range(count):
        number, digit = divmod(number, len(_DIGITS))
        found = _DIGITS[digit] + found
    return found


def _checksum(body: str) -> str:
    return _digits(zlib.crc32(body.encode()), _SUM)
