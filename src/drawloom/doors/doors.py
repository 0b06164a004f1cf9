"""The doors as one value, handed to whatever opens a client."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from drawloom.doors.egress import Egress
from drawloom.doors.folders import Folder


@dataclass(frozen=True, slots=True)
class Doors:
    """The ways out that one engine allows. `root` is where relative paths begin."""

    root: Path = Path()
    egress: Egress = field(default_factory=Egress)

    def folder(self, path: str | Path, *, max_bytes: int) -> Folder:
        """The folder *path*, relative to `root` unless absolute. Raises `ConnectionUnusable`."""
        return Folder(self.root / path, max_bytes=max_bytes)
