"""The SDK's contract."""

from __future__ import annotations

from drawloom.connectors.databases.mongodb import connector as mongodb
from drawloom.sdk.contract import ConnectorContract


class TestContract(ConnectorContract):
    connector = mongodb
