"""Which steps break between two versions of all tools: those that were saved, and the present ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from drawloom.chains.check import check
from drawloom.chains.check_desk import CheckedTool, ToolFinder
from drawloom.chains.document import Chain, Step
from drawloom.chains.enriching import ENRICH
from drawloom.chains.impact import ChangedTool, Impact, impact_of_findings
from drawloom.chains.subchains import FindChain
from drawloom.dataflow.validation import Validator
from drawloom.errors import ValueInvalid
from drawloom.policies import Effect

_SCHEMAS: Final = ("input", "output", "item")
_TEXTS: Final = frozenset({"title", "description", "examples"})
_NAMED: Final = frozenset({"properties", "$defs", "patternProperties"})
#: From what may always be done again to what may not: a change to the right can hurt.
_ORDER: Final = tuple(Effect)


@dataclass(frozen=True, slots=True)
class ToolChange:
    """A tool that is not as it was. `what` says in which way, such as `input` or `gone`."""

    tool: str
    what: tuple[str, ...]


def saved(tools: Iterable[Any]) -> dict[str, Any]:
    """All that a check needs to know of *tools*, as data that `SavedTools` reads."""
    return {"tools": {tool.name: _saved(tool) for tool in tools}}


def _saved(tool: Any) -> dict[str, Any]:
    return {
        "effect": str(tool.effect),
        "connection": tool.connection,
        "timeout": tool.timeout,
        "construct": tool.construct,
        "streams": tool.streams,
        "input": tool.input_schema,
        "output": tool.output_schema,
        "item": tool.item_schema if tool.streams else {},
    }


class SavedTools:
    """The tools of another version, read from what `saved` gave. Raises `ValueInvalid`."""

    def __init__(self, written: Any) -> None:
        tools = written.get("tools") if isinstance(written, Mapping) else None
        if not isinstance(tools, Mapping):
            raise ValueInvalid(
                "it is not an object with `tools`, as `drawloom tools schemas` writes one"
            )
        self._tools = {name: _read(name, tool) for name, tool in tools.items()}

    def find(self, name: str) -> ChangedTool:
        """The tool of a name; `KeyError` where there was none."""
        return self._tools[name]

    def changes(self, now: Iterable[Any]) -> tuple[ToolChange, ...]:
        """The tools that are other than they were, and those that are gone, by name."""
        present = {tool.name: _saved(tool) for tool in now}
        found = (_change(name, _saved(tool), present) for name, tool in self._tools.items())
        return tuple(sorted((one for one in found if one.what), key=lambda one: one.tool))


def _read(name: str, written: Any) -> ChangedTool:
    try:
        for side in _SCHEMAS:
            Validator(written[side])
        return ChangedTool(
            name, Effect(written["effect"]), written["connection"], written["timeout"],
            written["construct"], written["input"], written["output"], written["streams"],
            written["item"],
        )  # fmt: skip
    except KeyError as exc:
        raise ValueInvalid(f"tool {name!r} has no {exc.args[0]!r}") from None
    except (TypeError, ValueError, ValueInvalid) as exc:
        raise ValueInvalid(f"tool {name!r}: {exc}") from None


def _change(name: str, was: Mapping[str, Any], present: Mapping[str, Any]) -> ToolChange:
    now = present.get(name)
    if now is None:
        return ToolChange(name, ("gone",))
    fields = (field for field in was if _meaning(was[field]) != _meaning(now[field]))
    return ToolChange(name, tuple(_differs(field, was, now) for field in fields))


def _meaning(value: Any, *, names: bool = False) -> Any:
    """A schema without its texts. *names*: the keys here are those of an author."""
    if isinstance(value, list):
        return [_meaning(inner) for inner in value]
    if not isinstance(value, Mapping):
        return value
    return {
        key: _meaning(inner, names=not names and key in _NAMED)
        for key, inner in value.items()
        if names or key not in _TEXTS
    }


def _differs(field: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    if isinstance(was[field], Mapping):
        return field
    return f"{field} {was[field]} -> {now[field]}"


def impact_between(
    chain: Chain, before: ToolFinder, now: ToolFinder, find_chain: FindChain | None = None
) -> tuple[Impact, ...]:
    """What breaks in *chain* with the tools *now* that did not *before*, in the order of its text.

    A call that could be made again after a crash, and no longer can, is one, too (`may`).
    """
    found = impact_of_findings(
        chain, check(chain, before, find_chain), check(chain, now, find_chain)
    )
    return (*found, *_effects(chain, before, now))


def _effects(chain: Chain, before: ToolFinder, now: ToolFinder) -> Iterator[Impact]:
    for step in chain.steps.values():
        for use in _used(step):
            was, is_ = _effect(before, use), _effect(now, use)
            if was is None or is_ is None or _ORDER.index(is_) <= _ORDER.index(was):
                continue
            message = f"{use} was {was}, and is {is_} now{_CONSEQUENCES[is_]}"
            yield Impact(chain.name, step.name, "may", message)


_CONSEQUENCES: Final[Mapping[Effect, str]] = {
    Effect.READ: ": tests have to answer its calls",
    Effect.IDEMPOTENT: ": it changes something outside",
    Effect.KEYED: ": it changes something outside",
    Effect.ONCE: ": a call whose answer is lost is not made again, but stops as unknown",
}


def _used(step: Step) -> Iterator[str]:
    yield step.use
    if step.compensate is not None:
        yield step.compensate.use
    given = step.with_ if step.use == ENRICH else {}
    lookup = given.get("lookup") if isinstance(given, Mapping) else None
    if isinstance(lookup, Mapping) and isinstance(lookup.get("use"), str):
        yield lookup["use"]


def _effect(tools: ToolFinder, name: str) -> Effect | None:
    try:
        tool: CheckedTool = tools.find(name)
    except KeyError:
        return None  # a finding says so
    return tool.effect
