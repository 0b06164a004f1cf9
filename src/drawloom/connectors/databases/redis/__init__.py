"""Redis and Valkey: keys, hashes, lists, sets, sorted sets, streams, messages, transactions."""

from __future__ import annotations

# The tools register themselves with the connector when their module is read.
from drawloom.connectors.databases.redis import keys
from drawloom.connectors.databases.redis.connection import connector

__all__ = ["connector", "keys"]
