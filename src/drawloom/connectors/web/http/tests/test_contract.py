"""The contract of every connector."""

from __future__ import annotations

from drawloom.connectors.web.http import connector as http
from drawloom.sdk.contract import ConnectorContract


class TestContract(ConnectorContract):
    connector = http
