"""The hands: find a tool, open its client once, call it, meter it, name its faults.

May import `sdk`, `policies`, `dataflow`, `doors`, `facts` and `connectors`.
"""

from __future__ import annotations

from drawloom.runtime.calling import Hands, Measured, Prepared
from drawloom.runtime.catalogue import Catalogue, UnknownTool
from drawloom.runtime.clients import Bindings, Clients, StoredConnection

__all__ = [
    "Bindings",
    "Catalogue",
    "Clients",
    "Hands",
    "Measured",
    "Prepared",
    "StoredConnection",
    "UnknownTool",
]
