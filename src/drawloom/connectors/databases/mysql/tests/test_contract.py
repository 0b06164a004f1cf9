"""The SDK's contract."""

from __future__ import annotations

from drawloom.connectors.databases.mysql import connector as mysql
from drawloom.sdk.contract import ConnectorContract


class TestContract(ConnectorContract):
    connector = mysql
