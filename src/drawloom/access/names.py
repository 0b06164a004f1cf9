"""Names of people and teams, and how they are compared (after RFC 8265, simplified)."""

from __future__ import annotations

import unicodedata
from typing import Final

from drawloom.errors import AccessRefused, FailureKind

_LONGEST: Final = 128  # characters


def plain_name(given: str) -> str:
    """The name in NFKC without spaces around it. Raises `AccessRefused` (invalid)."""
    name = unicodedata.normalize("NFKC", given[: _LONGEST + 1]).strip()
    if not 1 <= len(name) <= _LONGEST or len(given) > _LONGEST or not name.isprintable():
        raise AccessRefused(
            FailureKind.INVALID,
            "name-unfit",
            f"a name has 1 to {_LONGEST} characters that can be printed",
        )
    return name


def folded(name: str) -> str:
    """What two names have in common that are the same but for case and width."""
    name = name[: 2 * _LONGEST].encode("utf-8", "replace").decode()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).strip().casefold())
