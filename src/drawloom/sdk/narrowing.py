"""What a call gives, told by the tool itself more exactly than its output schema can.

    @select.narrow
    def _(given: Mapping[str, Any], described: Any) -> Mapping[str, Any]: ...

A narrower gives a JSON Schema (2020-12) for each field of the output that it knows
better; of a tool that streams for its items, as `item`. *given* is the step's `with` as
it is written, references and all; *described* is what the connector's own tool
`catalogue` told of its service (its tables, say), or None. It opens nothing. What
*described* proves wrong in *given* it raises as a `ToolError` (invalid), with the place
as `path` in its details.

A `catalogue` that takes `statements` is given the texts of all parameters `sql` of the
chains that `drawloom connections describe` is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Narrower: TypeAlias = Callable[[Mapping[str, Any], Any], Mapping[str, Any]]


def is_written(value: Any) -> bool:
    """Whether a value of a chain is written out: no part of it is known only in a run."""
    if isinstance(value, str):
        return "${" not in value
    if isinstance(value, Mapping):
        return "$jsonpath" not in value and all(map(is_written, value.values()))
    return not isinstance(value, list) or all(map(is_written, value))
