"""Query and change PostgreSQL: typed parameters, exact values, no write through a query."""

from __future__ import annotations

# The tools register themselves with the connector when their modules are read.
from drawloom.connectors.databases.postgresql import (
    copy_files,
    copying,
    effects,
    introspection,
    narrowing,
    narrowing_sql,
    notifying,
    planning,
    planning_files,
    planning_tables,
    streams,
    tables,
    tools,
    transactions,
)
from drawloom.connectors.databases.postgresql.connection import connector

__all__ = [
    "connector",
    "copy_files",
    "copying",
    "effects",
    "introspection",
    "narrowing",
    "narrowing_sql",
    "notifying",
    "planning",
    "planning_files",
    "planning_tables",
    "streams",
    "tables",
    "tools",
    "transactions",
]
