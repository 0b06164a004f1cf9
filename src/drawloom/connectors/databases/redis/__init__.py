"""Redis and Valkey: keys, hashes, lists, sets, sorted sets, streams, messages, transactions."""

from __future__ import annotations

# The tools register themselves with the connector when their module is read.
from drawloom.connectors.databases.redis import (
    hashes,
    keys,
    lists,
    messages,
    scripts,
    sets,
    sorted_sets,
    streams,
    strings,
)

# isort: split
# These take what the others have registered.
from drawloom.connectors.databases.redis import planning, transactions
from drawloom.connectors.databases.redis.connection import connector

__all__ = [
    "connector",
    "hashes",
    "keys",
    "lists",
    "messages",
    "planning",
    "scripts",
    "sets",
    "sorted_sets",
    "streams",
    "strings",
    "transactions",
]
