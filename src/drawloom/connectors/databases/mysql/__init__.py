"""Query and change MySQL and MariaDB: bound values, exact types, no write through a query."""

from __future__ import annotations

# The tools register themselves with the connector when their modules are read.
from drawloom.connectors.databases.mysql import (
    effects,
    loading,
    narrowing,
    planning,
    planning_forms,
    routines,
    schema,
    streams,
    tables,
    tools,
    transactions,
)
from drawloom.connectors.databases.mysql.connection import connector

__all__ = [
    "connector",
    "effects",
    "loading",
    "narrowing",
    "planning",
    "planning_forms",
    "routines",
    "schema",
    "streams",
    "tables",
    "tools",
    "transactions",
]
