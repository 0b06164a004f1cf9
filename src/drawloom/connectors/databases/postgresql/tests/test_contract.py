"""The SDK's contract."""

from __future__ import annotations

from drawloom.connectors.databases.postgresql import connector as postgresql
from drawloom.sdk.contract import ConnectorContract


class TestContract(ConnectorContract):
    connector = postgresql
