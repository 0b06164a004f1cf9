"""Which steps of a chain break when a tool changes: the static check, before and after.

Only what is new counts: a finding of the chain as it is says nothing of the
change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from drawloom.chains.check import check
from drawloom.chains.check_desk import CheckedTool, ToolFinder
from drawloom.chains.document import Chain
from drawloom.chains.findings import Finding, did_you_mean
from drawloom.chains.subchains import FindChain
from drawloom.dataflow.validation import Validator
from drawloom.errors import ValueInvalid
from drawloom.policies import Effect

#: `may`: it cannot be known without running.
Certainty: TypeAlias = Literal["breaks", "may"]
Change: TypeAlias = Callable[["ChangedTool"], "ChangedTool"]


@dataclass(frozen=True, slots=True)
class Impact:
    """One place that a change reaches. `step` is None for the chain's own output."""

    chain: str
    step: str | None
    certainty: Certainty
    message: str
    finding: Finding | None = None


@dataclass(frozen=True, slots=True)
class ChangedTool:
    """A tool as it would be. Schemas are JSON Schemas (2020-12)."""

    name: str
    effect: Effect
    connection: str | None
    timeout: float | None
    construct: str
    input_schema: Mapping[str, Any]
    output_schema: Mapping[str, Any]
    streams: bool = False
    item_schema: Mapping[str, Any] = field(default_factory=dict)  # of a tool that streams
    narrower: Any = None


class ChangedCatalogue:
    """The tools that there are, one of them changed."""

    def __init__(self, tools: ToolFinder, changed: ChangedTool) -> None:
        self._tools = tools
        self._changed = changed

    def find(self, name: str) -> CheckedTool:
        """The tool of a name; `KeyError` where there is none."""
        return self._changed if name == self._changed.name else self._tools.find(name)


def changed_tool(tool: Any, changes: list[Change]) -> ChangedTool:
    """*tool* after *changes*. Raises `ValueInvalid` where one of them cannot be made."""
    found = ChangedTool(
        tool.name, tool.effect, tool.connection, tool.timeout, tool.construct,
        _copied(tool.input_schema), _copied(tool.output_schema),
        tool.streams, _copied(tool.item_schema) if tool.streams else {},
    )  # fmt: skip
    for change in changes:
        found = change(found)
    return replace(found, narrower=_still_true(tool, found))


def _still_true(tool: Any, changed: ChangedTool) -> Any:
    """What the tool tells of its output, but of fields that the change has left as they are."""
    narrower = getattr(tool, "narrower", None)
    if narrower is None:
        return None
    was, is_ = map(_fields, (tool, changed))

    def narrowed(given: Any, described: Any) -> Any:
        told = narrower(given, described)
        return {name: each for name, each in told.items() if was.get(name) == is_.get(name)}

    return narrowed


def _fields(tool: Any) -> Mapping[str, Any]:
    """The schema of each field of the output; of a stream that of its items, as `item`."""
    if tool.streams:
        return {"item": tool.item_schema}
    fields: Mapping[str, Any] = tool.output_schema.get("properties", {})
    return fields


def impact_of(
    chain: Chain, tools: ToolFinder, changed: ChangedTool, find_chain: FindChain | None = None
) -> tuple[Impact, ...]:
    """What breaks in *chain*, in the order of its text."""
    before = check(chain, tools, find_chain)
    after = check(chain, ChangedCatalogue(tools, changed), find_chain)
    return impact_of_findings(chain, before, after)


def impact_of_findings(
    chain: Chain, before: Iterable[Finding], after: Iterable[Finding]
) -> tuple[Impact, ...]:
    """What is new in *after*."""
    known = {_same(found) for found in before}
    return tuple(_impact(chain, found) for found in after if _same(found) not in known)


def _same(finding: Finding) -> tuple[str, str, str]:
    return finding.code, finding.pointer, finding.message


def _impact(chain: Chain, finding: Finding) -> Impact:
    parts = finding.pointer.split("/")
    step = parts[2] if len(parts) > 2 and parts[1] == "steps" else None
    certainty: Certainty = "breaks" if finding.severity == "error" else "may"
    return Impact(chain.name, step, certainty, finding.message, finding)


# -- the changes -----------------------------------------------------------------


def with_schemas(written: Any) -> Change:
    """Other schemas: an object with `input`, `output` or both, as `tools show --json` has."""
    if not isinstance(written, Mapping) or not written.keys() & {"input", "output"}:
        raise ValueInvalid("a schema file is an object with `input`, `output` or both")
    sides: tuple[Literal["input", "output"], ...] = ("input", "output")
    schemas: dict[Literal["input", "output"], Any] = {
        side: Validator(written[side]).schema for side in sides if side in written
    }

    def change(tool: ChangedTool) -> ChangedTool:
        new: dict[str, Any] = {_schema_of(tool, side): each for side, each in schemas.items()}
        return replace(tool, **new)

    return change


def without(side: Literal["input", "output"], field: str) -> Change:
    """The field is gone: a name, or a path such as `rows.id`; a list's items count as itself."""
    return lambda tool: _edited(tool, side, field, None)


def renamed(side: Literal["input", "output"], field: str, name: str) -> Change:
    """The field (a name, or a path) has another name."""
    return lambda tool: _edited(tool, side, field, name)


def _edited(
    tool: ChangedTool, side: Literal["input", "output"], field: str, name: str | None
) -> ChangedTool:
    name_of = _schema_of(tool, side)
    root = _copied(getattr(tool, name_of))
    *above, last = field.split(".")
    places = [root]
    for part in above:
        places = [p for place in places for p in _inside(root, place, part)]
    owners = [place for start in places for place in _objects(root, start)]
    held = [owner for owner in owners if last in owner.get("properties", {})]
    if not held:
        known = [n for owner in owners for n in owner.get("properties", {})]
        more = did_you_mean(last, known) or f"it has {', '.join(known) or 'no fields'}"
        raise ValueInvalid(f"the {side} of {tool.name} has no field {field!r}; {more}")
    for owner in held:
        _edit(owner, last, name)
    changed: dict[str, Any] = {name_of: root}
    return replace(tool, **changed)


def _schema_of(tool: ChangedTool, side: Literal["input", "output"]) -> str:
    """The attribute of the schema that has the fields; of a stream, that of its items."""
    return "item_schema" if side == "output" and tool.streams else f"{side}_schema"


def _edit(owner: dict[str, Any], field: str, name: str | None) -> None:
    schema = owner["properties"].pop(field)
    required = [n for n in owner.get("required", ()) if n != field]
    if name is not None:
        owner["properties"][name] = schema
        required += [name] if field in owner.get("required", ()) else []
    owner["required"] = required
    owner.setdefault("additionalProperties", False)  # else a read of it would be let pass


def _inside(root: dict[str, Any], place: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    for owner in _objects(root, place):
        if isinstance(found := owner.get("properties", {}).get(name), dict):
            yield found


def _objects(
    root: dict[str, Any], place: dict[str, Any], depth: int = 0
) -> Iterator[dict[str, Any]]:
    """The schemas of objects that *place* stands for: through `$ref`, unions and lists."""
    if depth > 16:
        return
    reference = place.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/$defs/"):
        yield from _objects(root, root.get("$defs", {}).get(reference[8:], {}), depth + 1)
    for inner in (*place.get("anyOf", ()), *place.get("oneOf", ()), place.get("items")):
        if isinstance(inner, dict):
            yield from _objects(root, inner, depth + 1)
    if "properties" in place:
        yield place


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(inner) for key, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list) else value
