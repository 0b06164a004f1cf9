"""How a value becomes I-JSON, for connectors: the product's one encoding, read and written.

A connector does not import `drawloom.dataflow`; what it needs of it stands here.
"""

from __future__ import annotations

from drawloom.dataflow.values import (
    LARGEST_INTEGER,
    depth_within,
    encode_value,
    read_json,
    write_json,
)

__all__ = ["LARGEST_INTEGER", "depth_within", "encode_value", "read_json", "write_json"]
