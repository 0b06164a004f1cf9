"""Redis and Valkey: keys, hashes, lists, sets, sorted sets, streams, messages, transactions."""

from __future__ import annotations

# The tools register themselves with the connector when their module is read, in this order.
from drawloom.connectors.databases.redis import strings  # isort: split

from drawloom.connectors.databases.redis import (
    hashes,
    keys,
    lists,
    messages,
    scripts,
    sets,
    sorted_sets,
    streams,
    transactions,
)
from drawloom.connectors.databases.redis.connection import connector

__all__ = [
    "connector",
    "hashes",
    "keys",
    "lists",
    "messages",
    "scripts",
    "sets",
    "sorted_sets",
    "streams",
    "strings",
    "transactions",
]
