"""The SDK's contract, and that the contract itself can fail."""

from __future__ import annotations

from drawloom.connectors.databases.sqlite import connector as sqlite
from drawloom.sdk.contract import ConnectorContract


class TestContract(ConnectorContract):
    connector = sqlite
