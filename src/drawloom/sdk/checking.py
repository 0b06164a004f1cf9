"""Check a value by a JSON Schema that is only known when a tool is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def check_value(schema: Mapping[str, Any], value: Any, where: str = "") -> None:
    """Raise `ValueInvalid` where *value* does not fit *schema* (2020-12), or that is none."""
    from drawloom.dataflow.validation import Validator  # slow to load, and seldom needed here

    Validator(schema).check(value, where)
