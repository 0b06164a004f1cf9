"""Named queries: `-- name: x` begins one in a `.sql` file beside this module."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_MARK = "-- name: "


@cache
def queries(file: str) -> dict[str, str]:
    """The queries of `<file>.sql`, by name."""
    text = (Path(__file__).parent / f"{file}.sql").read_text(encoding="utf-8")
    found: dict[str, str] = {}
    for part in text.split(_MARK)[1:]:
        name, _, body = part.partition("\n")
        found[name.strip()] = body.strip()
    return found
