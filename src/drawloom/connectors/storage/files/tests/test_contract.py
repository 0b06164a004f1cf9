"""The contract of every connector."""

from __future__ import annotations

from drawloom.connectors.storage.files import connector as files
from drawloom.sdk.contract import ConnectorContract


class TestContract(ConnectorContract):
    connector = files
