"""The connector itself: it has no connection, for nothing here is outside."""

from __future__ import annotations

from drawloom.connectors.core.faults import FAULTS
from drawloom.sdk import Connector

connector = Connector("core", faults=FAULTS)
