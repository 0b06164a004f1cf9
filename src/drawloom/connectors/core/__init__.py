"""Shape values, work on rows, choose a way, check, wait and stop: tools that need no service."""

from __future__ import annotations

# The tools register themselves with the connector when their modules are read.
from drawloom.connectors.core import constructs, flow, python, rows, values
from drawloom.connectors.core.connection import connector

__all__ = ["connector", "constructs", "flow", "python", "rows", "values"]
