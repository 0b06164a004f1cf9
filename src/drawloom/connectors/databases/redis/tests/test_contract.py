"""The SDK's contract."""

from __future__ import annotations

from drawloom.connectors.databases.redis import connector as redis
from drawloom.sdk.contract import ConnectorContract


class TestContract(ConnectorContract):
    connector = redis
