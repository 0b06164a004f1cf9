"""Query and fill SQLite files: no server, exact values, all or nothing."""

from __future__ import annotations

# The tools register themselves with the connector when their modules are read.
from drawloom.connectors.databases.sqlite import planning, statements, streams, tables
from drawloom.connectors.databases.sqlite.connection import connector

__all__ = ["connector", "planning", "statements", "streams", "tables"]
