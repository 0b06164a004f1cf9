"""Documents of MongoDB: find, change, aggregate, watch, and files; data never becomes an operator."""

from __future__ import annotations

# The tools register themselves with the connector when their module is read.
from drawloom.connectors.databases.mongodb import (
    aggregating,
    changing,
    finding,
    gridfs,
    indexes,
    inserting,
    operations,
    planning,
    planning_files,
    streaming,
    watching,
)
from drawloom.connectors.databases.mongodb.connection import connector

__all__ = [
    "aggregating",
    "changing",
    "connector",
    "finding",
    "gridfs",
    "indexes",
    "inserting",
    "operations",
    "planning",
    "planning_files",
    "streaming",
    "watching",
]
