"""A project: the folder with a `drawloom.toml`, its connections, its own tools and its state.

Opening one is pure: no process, no network, no credential. May import `drivers`,
`runtime`, `chains`, `sdk`, `doors` and `errors`.
"""

from __future__ import annotations

from drawloom.project.binding import Bound
from drawloom.project.project import Project
from drawloom.project.settings import FILE, Settings, read_settings

__all__ = ["FILE", "Bound", "Project", "Settings", "read_settings"]
