"""A plan: a chain compiled once, immutable, and run any number of times.

Edges are derived here: a step needs what its `with`, `when` and `for_each`
read, and what `after` names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, Protocol, TypeAlias

import msgspec

from drawloom.chains.document import Chain, Step
from drawloom.chains.schema import LATER_CHAIN_FIELDS, LATER_STEP_FIELDS, LATER_TOOLS
from drawloom.dataflow.conversion import converter_for
from drawloom.dataflow.references import Condition, Template, listing
from drawloom.dataflow.validation import Validator, apply_defaults, validator_for
from drawloom.errors import ChainInvalid, ExpressionInvalid, ValueInvalid
from drawloom.policies import Effect, Retry

Outcome: TypeAlias = Literal["succeeded", "failed", "finished"]

DEFAULT_TIMEOUT = 300.0  # seconds; every wait has a deadline
DEFAULT_CONCURRENCY = 10
_ITEM_ROOTS = frozenset({"item", "index"})


class ToolSpec(Protocol):
    """What a plan needs to know of a tool; `sdk.Tool` is one."""

    @property
    def name(self) -> str: ...
    @property
    def effect(self) -> Effect: ...
    @property
    def connection(self) -> str | None: ...
    @property
    def timeout(self) -> float | None: ...
    @property
    def input_schema(self) -> Mapping[str, Any]: ...
    @property
    def output_schema(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Connection:
    """An edge of the chain: what leads from one step to another, and why."""

    source: str
    target: str
    outcome: Outcome
    mappings: tuple[str, ...]  # the references of the target that read the source
    condition: str | None  # the target's `when`


@dataclass(frozen=True, slots=True, eq=False)
class PlanStep:
    """One step, compiled. `feeds` holds `(index of a dependent, outcome it wants)`."""

    index: int
    name: str
    tool: str
    slot: str | None
    effect: Effect
    spec: ToolSpec = field(repr=False)
    arguments: Template = field(repr=False)
    fits: Callable[[Any], bool] = field(repr=False)  # whether arguments can go as they are
    accept: Callable[[Any], dict[str, Any]] = field(repr=False)  # converts them, or raises
    when: Condition | None
    when_per_item: bool
    items: Template | None
    concurrency: int
    join_any: bool
    need_count: int
    feeds: tuple[tuple[int, Outcome], ...]
    retry: Retry
    timeout: float
    continues: bool  # on_error: continue
    tolerated: bool  # a failure does not fail the run
    cleanup: bool  # may still start when the run is stopping
    first_call: str


@dataclass(frozen=True, eq=False)
class Plan:
    """A compiled chain. Nothing in it changes; share it between runs and threads."""

    name: str
    version: str
    steps: tuple[PlanStep, ...]
    output: Template
    variables: Mapping[str, Any]
    slots: Mapping[str, str]
    input_schema: Mapping[str, Any]
    document: Mapping[str, Any]
    effects: Mapping[str, str]
    connections: tuple[Connection, ...]
    reads_run: bool  # whether anything reads `run`

    @cached_property
    def digest(self) -> str:
        """Names this plan: the document (without its looks) and the effects of its tools."""
        kept = {k: v for k, v in self.document.items() if k not in ("ui", "note")}
        text = msgspec.json.encode([kept, dict(self.effects)], order="deterministic")
        return hashlib.blake2b(text, digest_size=16).hexdigest()

    @cached_property
    def by_name(self) -> Mapping[str, PlanStep]:
        return MappingProxyType({step.name: step for step in self.steps})

    @cached_property
    def _input_validator(self) -> Validator:
        return validator_for(dict(self.input_schema))

    def accept_input(self, given: Mapping[str, Any] | None) -> dict[str, Any]:
        """The input with its defaults, converted and checked; `ValueInvalid` names the field."""
        filled = self._with_defaults(dict(given or {}))
        if not self._input_validator.is_valid(filled):
            filled = self._convert_input(filled)
            self._input_validator.check(filled, where="input")
        return filled  # type: ignore[no-any-return]

    @cached_property
    def _with_defaults(self) -> Callable[[dict[str, Any]], Any]:
        schema = dict(self.input_schema)
        if not any("default" in field for field in schema["properties"].values()):
            return lambda given: given
        return lambda given: apply_defaults(schema, given)

    @cached_property
    def _convert_input(self) -> Callable[[Any], Any]:
        return converter_for(dict(self.input_schema))


def compile_chain(
    chain: Chain,
    find_tool: Callable[[str], ToolSpec],
    effects: Mapping[str, str] | None = None,
) -> Plan:
    """Compile *chain*. *find_tool* gives the tool of a name.

    *effects* are those recorded when a run began: a run keeps the rules that it
    began with, even if the tool has changed since. Raises `ChainInvalid`.
    """
    _refuse_later(chain)
    parts = [_Part(name, step) for name, step in chain.steps.items()]
    order = _ordered(parts)
    index = {part.name: i for i, part in enumerate(order)}
    tools = {part.step.use: find_tool(part.step.use) for part in order}
    known = {name: Effect((effects or {}).get(name, tool.effect)) for name, tool in tools.items()}
    cleanup = _cleanup(order)
    handled = {n for part in order for n, outcome in part.needs.items() if outcome == "failed"}
    feeds: dict[str, list[tuple[int, Outcome]]] = {part.name: [] for part in order}
    for part in order:
        for source, outcome in part.needs.items():
            feeds[source].append((index[part.name], outcome))
    steps = tuple(
        part.compiled(
            index[part.name],
            tools[part.step.use],
            known[part.step.use],
            tuple(feeds[part.name]),
            handled=part.name in handled,
            cleanup=part.name in cleanup,
        )
        for part in order
    )
    output = _template(chain.output, "output")
    reads = output.reads.union(*(part.reads for part in order))
    return Plan(
        chain.name,
        chain.version or "",
        steps,
        output,
        MappingProxyType(dict(chain.vars or {})),
        MappingProxyType(dict(chain.connections or {})),
        MappingProxyType(chain.input_schema),
        MappingProxyType(dict(chain.document)),
        MappingProxyType({name: str(effect) for name, effect in sorted(known.items())}),
        tuple(edge for part in order for edge in part.edges()),
        any(path[:1] in ((), ("run",)) for path in reads),
    )


def _refuse_later(chain: Chain) -> None:
    """What a later release gives life to is refused here, too: never ignored."""
    written = chain.document
    found = [name for name in LATER_CHAIN_FIELDS if name in written]
    for name, fields in written.get("steps", {}).items():
        found += [f"steps.{name}.{later}" for later in LATER_STEP_FIELDS if later in fields]
        if fields.get("use") in LATER_TOOLS:
            found.append(f"steps.{name}.use: {fields['use']}")
    if found:
        raise ChainInvalid(f"not supported yet: {', '.join(found)}; remove it")


class _Part:
    """A step on its way into a plan: its templates, and what it needs."""

    def __init__(self, name: str, step: Step) -> None:
        self.name, self.step = name, step
        self.arguments: Template = Template({})
        self.items = None if step.for_each is None else _list_template(step.for_each, name)
        self.when = None if step.when is None else _condition(step.when, name)
        self.template = _template(step.with_ or {}, f"steps.{name}.with")
        self.needs = self._needs()

    @property
    def reads(self) -> list[tuple[str, ...]]:
        parts = [self.template.reads]
        parts += [self.items.reads] if self.items else []
        parts += [self.when.reads] if self.when else []
        return sorted({path for reads in parts for path in reads})

    def _needs(self) -> dict[str, Outcome]:
        needs: dict[str, Outcome] = {}
        for path in self.reads:
            if not path or (path[0] in ("steps", "failures") and len(path) < 2):
                raise ChainInvalid(
                    f"step {self.name!r} reads {'.'.join(path) or 'the whole scope'}; "
                    "name the step that it needs, as in steps.NAME"
                )
            if path[0] == "steps":
                needs[path[1]] = "succeeded"
            elif path[0] == "failures":
                needs.setdefault(path[1], "failed")
        needs.update(self.step.after or {})
        return needs

    def soften(self, continued: Iterable[str]) -> None:
        """A step that reads `failures.x` of an x that may continue runs after it either way."""
        explicit = self.step.after or {}
        for source in continued:
            if self.needs.get(source) == "failed" and source not in explicit:
                self.needs[source] = "finished"

    def edges(self) -> list[Connection]:
        references = self.template.references + (self.items.references if self.items else ())
        condition = None if self.when is None else str(self.when.source)
        return [
            Connection(
                source,
                self.name,
                outcome,
                tuple(r.source for r in references if any(p[1:2] == (source,) for p in r.reads)),
                condition,
            )
            for source, outcome in self.needs.items()
        ]

    def compiled(
        self,
        index: int,
        tool: ToolSpec,
        effect: Effect,
        feeds: tuple[tuple[int, Outcome], ...],
        *,
        handled: bool,
        cleanup: bool,
    ) -> PlanStep:
        step = self.step
        schema = dict(tool.input_schema)
        reads = self.when.reads if self.when else frozenset()
        continues = step.on_error == "continue"
        return PlanStep(
            index=index,
            name=self.name,
            tool=tool.name,
            slot=step.on,
            effect=effect,
            spec=tool,
            arguments=Template(step.with_ or {}, _list_places(schema)),
            fits=validator_for(schema).is_valid,
            accept=_acceptor(schema),
            when=self.when,
            when_per_item=bool(self.items and any(path[0] in _ITEM_ROOTS for path in reads)),
            items=self.items,
            concurrency=step.concurrency or DEFAULT_CONCURRENCY,
            join_any=step.join == "any",
            need_count=len(self.needs),
            feeds=feeds,
            retry=step.retry or Retry(),
            timeout=step.timeout or tool.timeout or DEFAULT_TIMEOUT,
            continues=continues,
            tolerated=continues or handled,
            cleanup=cleanup,
            first_call=f"{self.name}#1",
        )


def _ordered(parts: list[_Part]) -> list[_Part]:
    """The parts, each after all that it needs; as written where there is a choice."""
    by_name = {part.name: part for part in parts}
    continued = {part.name for part in parts if part.step.on_error == "continue"}
    for part in parts:
        part.soften(continued)
        for need in part.needs:
            if need not in by_name:
                raise ChainInvalid(f"step {part.name!r} needs {need!r}, which is no step")
    waits = {part.name: len(part.needs) for part in parts}
    followers: dict[str, list[str]] = {part.name: [] for part in parts}
    for part in parts:
        for need in part.needs:
            followers[need].append(part.name)
    ready, order = [part.name for part in parts if not part.needs], list[_Part]()
    for name in ready:  # grows while it is walked
        order.append(by_name[name])
        for follower in followers[name]:
            waits[follower] -= 1
            if waits[follower] == 0:
                ready.append(follower)
    if len(order) < len(parts):
        stuck = [name for name, count in waits.items() if count > 0]
        raise ChainInvalid(f"these steps wait for each other: {', '.join(sorted(stuck))}")
    return order


def _cleanup(order: list[_Part]) -> set[str]:
    """Steps that ask to run after another has ended in any way, and those that follow them."""
    found: set[str] = set()
    for part in order:
        after = part.step.after
        if any(o == "finished" for o in after.values()) or not found.isdisjoint(part.needs):
            found.add(part.name)
    return found


def _acceptor(schema: dict[str, Any]) -> Callable[[Any], dict[str, Any]]:
    """Check a tool's input; convert it first only where it does not fit as it is."""
    validator = validator_for(schema)
    is_valid, convert = validator.is_valid, converter_for(schema)

    def accept(args: Any) -> dict[str, Any]:
        if is_valid(args):
            return args  # type: ignore[no-any-return]
        converted = convert(args)
        try:
            validator.check(converted)
        except ValueInvalid as exc:
            raise ValueInvalid(exc.reason, f"/with{exc.path}") from None
        return converted  # type: ignore[no-any-return]

    return accept


def _list_places(schema: Mapping[str, Any]) -> Callable[[tuple[str | int, ...]], bool]:
    """Whether a list is wanted at a place of the input."""
    definitions = schema.get("$defs", {})

    def resolved(node: Any) -> Mapping[str, Any]:
        while isinstance(node, Mapping) and str(node.get("$ref", "")).startswith("#/$defs/"):
            node = definitions.get(node["$ref"].removeprefix("#/$defs/"))
        return node if isinstance(node, Mapping) else {}

    def wants_list(pointer: tuple[str | int, ...]) -> bool:
        node = resolved(schema)
        for part in pointer:
            below = node.get("items") if isinstance(part, int) else None
            if isinstance(part, str):
                below = node.get("properties", {}).get(part, node.get("additionalProperties"))
            node = resolved(below)
        return node.get("type") == "array"

    return wants_list


def _template(source: Any, where: str) -> Template:
    try:
        return Template(source)
    except (ExpressionInvalid, ValueInvalid) as exc:
        raise ChainInvalid(f"{where}: {exc}") from exc


def _list_template(source: Any, name: str) -> Template:
    try:
        return listing(source)
    except (ExpressionInvalid, ValueInvalid) as exc:
        raise ChainInvalid(f"steps.{name}.for_each: {exc}") from exc


def _condition(source: Any, name: str) -> Condition:
    try:
        return Condition(source)
    except (ExpressionInvalid, ValueInvalid) as exc:
        raise ChainInvalid(f"steps.{name}.when: {exc}") from exc
