"""Everything a connector author needs, and all that a connector may import.

Above `errors`, `policies`, `dataflow` and `doors`; below the engine, which a
connector never sees.
"""

from __future__ import annotations

from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from drawloom.errors import Failure, FailureKind, ToolError, invalid
from drawloom.policies import Effect
from drawloom.sdk.checking import check_value
from drawloom.sdk.connection import Connection
from drawloom.sdk.connector import Connector, Fault, FaultTable, Tool, tool
from drawloom.sdk.context import Context
from drawloom.sdk.faults import name_fault
from drawloom.sdk.secret import Secret
from drawloom.sdk.streams import Chunk, Stream
from drawloom.sdk.values import Json, Row

__all__ = [
    "Chunk",
    "Connection",
    "Connector",
    "Context",
    "Effect",
    "Failure",
    "FailureKind",
    "Fault",
    "FaultTable",
    "Json",
    "Row",
    "Secret",
    "Stream",
    "Tool",
    "ToolError",
    "TypedDict",
    "check_value",
    "invalid",
    "name_fault",
    "tool",
]
