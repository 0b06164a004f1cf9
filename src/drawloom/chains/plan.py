"""A plan: a chain compiled once, immutable, and run any number of times; `compiling` makes it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, Protocol, TypeAlias

import msgspec

from drawloom.dataflow.conversion import converter_for
from drawloom.dataflow.enrichment import Enrichment
from drawloom.dataflow.references import Condition, Template
from drawloom.dataflow.validation import Validator, apply_defaults, validator_for
from drawloom.policies import Effect, Resources, Retry
from drawloom.policies.cache import CacheRule

Outcome: TypeAlias = Literal["succeeded", "failed", "finished"]
# What the engine does itself, instead of calling a tool.
Construct: TypeAlias = Literal["", "chain", "wait", "approve", "stream"]


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


@dataclass(frozen=True, slots=True)
class Again:
    """A step is called again until `until` holds: `delay` seconds apart, `limit` times at most."""

    until: Condition
    delay: float
    limit: int


@dataclass(frozen=True, slots=True)
class Queueing:
    """At most `limit` runs with the same key go on at once; the others wait for their turn."""

    limit: int
    key: Template


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
    timeout: float  # seconds; of a sub-chain 0 where it has its own deadlines only
    continues: bool  # on_error: continue
    tolerated: bool  # a failure does not fail the run
    cleanup: bool  # may still start when the run is stopping
    first_call: str
    construct: Construct = ""
    batch: int | None = None  # how many items go into one call
    repeat: Again | None = None
    reads_self: bool = False  # a pass reads what the one before gave
    undo: PlanStep | None = None
    undoes: str = ""  # the step that this one undoes
    child: Plan | None = field(default=None, repr=False)
    child_slots: Mapping[str, str] = field(default_factory=dict)  # of the child -> of this chain
    lookup: Enrichment | None = None
    cache: CacheRule | None = None
    resources: Resources | None = None  # of a call in a process of its own
    plain_end: bool = True  # nothing but the status changes when a call succeeds


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
    children: Mapping[str, Plan] = field(default_factory=dict)  # chains that it may start
    on_failure: str = ""  # of those: the one to start when a run fails
    timeout: float | None = None  # seconds
    queueing: Queueing | None = None
    priority: int = 0

    @cached_property
    def digest(self) -> str:
        """Names this plan: the document (without its looks), its tools' effects, its sub-chains."""
        kept = {k: v for k, v in self.document.items() if k not in ("ui", "note", "tests")}
        named: list[Any] = [kept, dict(self.effects)]
        if self.children:
            named.append({name: child.digest for name, child in self.children.items()})
        text = msgspec.json.encode(named, order="deterministic")
        return hashlib.blake2b(text, digest_size=16).hexdigest()

    @cached_property
    def streams(self) -> bool:
        """Whether any step gives a stream."""
        return any(step.construct == "stream" for step in self.steps)

    @cached_property
    def by_name(self) -> Mapping[str, PlanStep]:
        """The steps by their names, and what undoes them by `NAME!undo`."""
        known = {step.name: step for step in self.steps}
        known.update({step.undo.name: step.undo for step in self.steps if step.undo is not None})
        return MappingProxyType(known)

    def step_of(self, call: str) -> PlanStep:
        """The step of a call id, such as `tell[7]#2` or `book!undo#1`. Raises `KeyError`."""
        return self.by_name[call.partition("#")[0].partition("[")[0]]

    @cached_property
    def waits_for(self) -> frozenset[str] | None:
        """The signals that its steps wait for; None where a name is only known at run time."""
        names: set[str] = set()
        for step in self.steps:
            if step.construct == "wait":
                written = step.arguments.source
                name = written.get("signal") if isinstance(written, Mapping) else "${"
                if isinstance(name, str) and "${" in name:
                    return None
                names |= {name} if name else set()
        return frozenset(names)

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
