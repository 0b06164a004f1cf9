"""The words for values in tool signatures."""

from __future__ import annotations

from typing import Any

# Any I-JSON value (RFC 7493). An alias of its own, so that a signature says
# "JSON" where it means JSON; the schema is the empty one, which admits all.
Json = Any
Row = dict[str, Any]
