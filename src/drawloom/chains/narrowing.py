"""What a step gives, as exactly as what is written in it tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

#: What connectors told of their services, by slot, or by connector where it holds for every slot.
Described: TypeAlias = Mapping[str, Any]


def output_of(
    tool: Any, given: Any, slot: str | None, described: Described | None = None
) -> dict[str, Any]:
    """The schema of what *tool* gives to a step with the `with` *given*.

    Raises `ToolError` (invalid) where *described* refutes what is written there.
    """
    schema = dict(tool.output_schema)
    told = _told(tool, given, slot, described)
    if not told:
        return schema
    known = schema.get("properties", {})
    better = {name: each for name, each in told.items() if name in known}
    return {**schema, "properties": {**known, **better}}


def item_of(
    tool: Any, given: Any, slot: str | None, described: Described | None = None
) -> dict[str, Any]:
    """The schema of an item of a *tool* that streams; else as `output_of`."""
    return dict(_told(tool, given, slot, described).get("item", tool.item_schema))


def _told(
    tool: Any, given: Any, slot: str | None, described: Described | None
) -> Mapping[str, Any]:
    narrower = getattr(tool, "narrower", None)
    if narrower is None or not isinstance(given, Mapping):
        return {}
    told: Mapping[str, Any] = narrower(given, _of_slot(tool, slot, described or {}))
    return told


def _of_slot(tool: Any, slot: str | None, described: Described) -> Any:
    found = described.get(slot or "")
    return described.get(tool.connection or "") if found is None else found
