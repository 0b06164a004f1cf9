"""The doors as one value, handed to whatever opens a client."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Doors:
    """The ways out that one engine allows. `root` is where relative paths begin."""

    root: Path = Path()
