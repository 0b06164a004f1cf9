"""Sizes as people write them: `64kB`, `256MB`, `1GiB`, or a number of bytes."""

from __future__ import annotations

import re

_UNITS = {
    "B": 1, "kB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000, "TB": 1_000_000_000_000,
    "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
}  # fmt: skip
_SIZE = re.compile(rf"([0-9]+)({'|'.join(_UNITS)})")
_HOW = "write it like 64kB, 256MB or 1GiB, or as a number of bytes"

LARGEST_SIZE = (1 << 53) - 1  # bytes: exact in every JSON implementation (RFC 7493)
#: What the schema of the document says of a written size; the same language as here.
SIZE_PATTERN = f"^{_SIZE.pattern}$"


def bytes_of(written: object) -> int:
    """The bytes that *written* means: a whole number, or one with a unit (IEC 80000-13).

    `kB MB GB TB` are powers of 1000, `KiB MiB GiB TiB` of 1024. Raises
    `ValueError` with what to write instead.
    """
    if isinstance(written, int) and not isinstance(written, bool):
        size = written
    else:
        found = _SIZE.fullmatch(written) if isinstance(written, str) else None
        if found is None:
            raise ValueError(f"{_quoted(written)} is not a size; {_HOW}")
        size = int(found[1]) * _UNITS[found[2]]
    if not 1 <= size <= LARGEST_SIZE:
        raise ValueError(f"{_quoted(written)} is not a size: it must be from 1 to 2^53-1 bytes")
    return size


def _quoted(written: object) -> str:
    text = repr(written)
    return text if len(text) <= 60 else text[:60] + "[…]"
