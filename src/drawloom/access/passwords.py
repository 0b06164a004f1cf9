"""Passwords: which are taken, and argon2id (RFC 9106), which is slow on purpose.

It is never called on an event loop, where it would stop everything else: each function
that hashes refuses to run there. `Aside` runs them in threads.
"""

from __future__ import annotations

import asyncio
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from drawloom.access.credentials import Entropy
from drawloom.access.names import folded
from drawloom.errors import AccessRefused, FailureKind, StateUnusable

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST: Final = 12  # characters
LONGEST: Final = 256
_SALT: Final = 16  # bytes
_NAME_COUNTS: Final = 4  # characters: a shorter name may stand in a password
_VARIED: Final = 5  # different characters


@dataclass(frozen=True, slots=True)
class Cost:
    """Parameters of argon2id.

    The defaults are the OWASP Password Storage Cheat Sheet's: 19 MiB, two passes, one lane.
    """

    kibibytes: int = 19 * 1024
    passes: int = 2
    lanes: int = 1


class Passwords:
    """Hashes and checks passwords at one cost. Needs the extra `server`."""

    def __init__(self, cost: Cost, entropy: Entropy) -> None:
        self.cost = cost
        self._entropy = entropy
        self._nobodys: str | None = None

    def hash(self, password: str) -> str:
        """argon2id of *password* with a new salt, as text with its parameters."""
        return self._hasher().hash(normalised(password), salt=self._entropy(_SALT))

    def verify(self, kept: str | None, password: str) -> bool:
        """Whether *password* is the one of *kept*; without *kept*, no, after the same work.

        A hash of an older cost takes its own time, until its owner signs in.
        """
        hasher, fit = self._hasher(), fits(password)
        stand_in = self._stand_in()  # for both, so that the first unknown name costs no more
        from argon2.exceptions import InvalidHashError, VerificationError

        given = normalised(password) if fit else ""
        try:
            hasher.verify(stand_in if kept is None else kept, given)
        except (VerificationError, InvalidHashError):
            return False
        return fit and kept is not None

    def is_weaker(self, kept: str) -> bool:
        """Whether *kept* was made at a lower cost, so that it should be made anew."""
        from argon2 import Type, extract_parameters

        found = extract_parameters(kept)
        return (
            found.type is not Type.ID
            or found.memory_cost < self.cost.kibibytes
            or found.time_cost < self.cost.passes
        )

    def _stand_in(self) -> str:
        if self._nobodys is None:
            self._nobodys = self.hash(self._entropy(32).hex())
        return self._nobodys

    def _hasher(self) -> PasswordHasher:
        _refuse_on_a_loop()
        try:
            from argon2 import PasswordHasher, Type
        except ImportError:
            raise StateUnusable(
                "passwords need argon2-cffi; pip install 'drawloom[server]'"
            ) from None
        cost = self.cost
        return PasswordHasher(
            time_cost=cost.passes, memory_cost=cost.kibibytes, parallelism=cost.lanes, type=Type.ID
        )


def fits(password: str) -> bool:
    """Whether it can be hashed at all: its length is bounded, and it is text."""
    return len(password) <= LONGEST and not any("\ud800" <= c <= "\udfff" for c in password)


def normalised(password: str) -> str:
    """In NFKC, so that it does not matter on which keyboard it was typed."""
    return unicodedata.normalize("NFKC", password)


def check(name: str, password: str) -> None:
    """Raises `AccessRefused` (invalid), which does not repeat it, where a new password is unfit."""
    if not fits(password):
        raise _unfit(f"it has at most {LONGEST} characters, all of them text")
    plain = normalised(password)
    if len(plain) < SHORTEST:
        raise _unfit(f"it has at least {SHORTEST} characters")
    if len(set(plain)) < _VARIED:
        raise _unfit("it repeats a few characters")
    own, given = folded(name), folded(plain)
    if own == given or (len(own) >= _NAME_COUNTS and len(given.replace(own, "")) < _NAME_COUNTS):
        raise _unfit("it is the name")


def _unfit(why: str) -> AccessRefused:
    return AccessRefused(FailureKind.INVALID, "password-unfit", f"choose another password: {why}")


def _refuse_on_a_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError("argon2 would stop the event loop; call it through `Aside`")
