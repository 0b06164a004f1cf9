"""Compile one step: its templates and conditions, what it needs, and what undoes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from drawloom.chains.document import Compensation, Step
from drawloom.chains.enriching import ENRICH, enriched
from drawloom.chains.plan import Again, Connection, Construct, Outcome, Plan, PlanStep, ToolSpec
from drawloom.chains.resources import limits_of
from drawloom.dataflow.conversion import converter_for
from drawloom.dataflow.references import Condition, Template, listing
from drawloom.dataflow.validation import validator_for
from drawloom.errors import ChainInvalid, ExpressionInvalid, ValueInvalid
from drawloom.policies import Effect, Resources, Retry
from drawloom.policies.cache import CacheRule

DEFAULT_TIMEOUT = 300.0  # seconds; every wait has a deadline
DEFAULT_CONCURRENCY = 10
_ITEM_ROOTS = frozenset({"item", "index"})
_NEVER_AGAIN = Retry(attempts=1)


class Part:
    """A step on its way into a plan: its templates, and what it needs."""

    def __init__(self, name: str, written: Step) -> None:
        self.name = name
        self.lookup = None
        step = written
        if step.use == ENRICH:
            step, self.lookup = enriched(name, written)
        self.step = step
        self.items = None if step.for_each is None else _list_template(step.for_each, name)
        self.when = None if step.when is None else _condition(step.when, name, "when")
        self.template = template_of(step.with_ or {}, f"steps.{name}.with")
        self.repeat = None
        if step.repeat is not None:
            until = _condition(step.repeat.until, name, "repeat.until")
            self.repeat = Again(until, step.repeat.delay, step.repeat.limit)
        self.needs = self._needs()

    @property
    def uses(self) -> list[str]:
        """The tools that it calls: its own, and the one that undoes it."""
        undo = self.step.compensate
        return [self.step.use, *([undo.use] if undo else [])]

    @property
    def reads(self) -> list[tuple[str, ...]]:
        parts = [self.template.reads]
        parts += [self.items.reads] if self.items else []
        parts += [self.when.reads] if self.when else []
        parts += [self.repeat.until.reads] if self.repeat else []
        return sorted({path for reads in parts for path in reads})

    @property
    def reads_self(self) -> bool:
        """Whether what it is called with depends on what it gave the last time."""
        return self.repeat is not None and any(
            path[:2] == ("steps", self.name) for path in self.template.reads
        )

    def _needs(self) -> dict[str, Outcome]:
        needs: dict[str, Outcome] = {}
        for path in self.reads:
            if not path or (path[0] in ("steps", "failures") and len(path) < 2):
                raise ChainInvalid(
                    f"step {self.name!r} reads {'.'.join(path) or 'the whole scope'}; "
                    "name the step that it needs, as in steps.NAME"
                )
            if self.repeat is not None and path[:2] == ("steps", self.name):
                continue  # its own last pass
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

    def _cache(self, spec: ToolSpec, effect: Effect, construct: str) -> CacheRule | None:
        if self.step.cache is None:
            return None
        if construct:
            raise ChainInvalid(
                f"steps.{self.name}.cache: {spec.name} gives no answer of its own that "
                "could be kept; cache a step that calls a tool which looks"
            )
        if getattr(spec, "stream_inputs", None):
            raise ChainInvalid(
                f"steps.{self.name}.cache: {spec.name} takes a stream, and what comes of one is "
                "not known before it is read"
            )
        if not effect.looks_only:
            raise ChainInvalid(
                f"steps.{self.name}.cache: {spec.name} does more than look ({effect}); "
                "an answer that was kept would leave its effect out"
            )
        return self.step.cache

    def compiled(
        self,
        index: int,
        spec: ToolSpec,
        effects: Mapping[str, Effect],
        feeds: tuple[tuple[int, Outcome], ...],
        *,
        handled: bool,
        cleanup: bool,
        child: Plan | None,
        undo: ToolSpec | None,
    ) -> PlanStep:
        step = self.step
        construct: Construct = "stream" if getattr(spec, "streams", False) else ""
        construct = getattr(spec, "construct", "") or construct
        schema = dict(spec.input_schema)
        reads = self.when.reads if self.when else frozenset()
        continues = step.on_error == "continue"
        made = PlanStep(
            index=index,
            name=self.name,
            tool=spec.name,
            slot=step.on,
            effect=effects[spec.name],
            spec=spec,
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
            # A failed sub-chain has tried again what may be tried again: all of it anew only if asked.
            retry=step.retry or (_NEVER_AGAIN if construct == "chain" else Retry()),
            timeout=step.timeout or _usual_timeout(spec, construct),
            continues=continues,
            tolerated=continues or handled,
            cleanup=cleanup,
            first_call=f"{self.name}#1",
            construct=construct,
            batch=step.batch,
            repeat=self.repeat,
            reads_self=self.reads_self,
            child=child,
            child_slots=_child_slots(step, construct),
            lookup=self.lookup,
            cache=self._cache(spec, effects[spec.name], construct),
            resources=_limits(step, spec),
        )
        if undo is not None and step.compensate is not None:
            made = replace(made, undo=_undo(made, step.compensate, undo, effects[undo.name]))
        return replace(made, plain_end=made.repeat is None and made.undo is None)


def _usual_timeout(spec: ToolSpec, construct: Construct) -> float:
    """Seconds; 0 where a step may wait for as long as it takes, for people say."""
    waits = construct not in ("", "stream")
    return 0.0 if waits else spec.timeout or DEFAULT_TIMEOUT


def _limits(step: Step, spec: ToolSpec) -> Resources | None:
    try:
        return limits_of(step, spec)
    except ValueError as exc:
        raise ChainInvalid(f"steps.{step.name}.resources: {exc}") from None


def _child_slots(step: Step, construct: str) -> Mapping[str, str]:
    if construct != "chain" or not isinstance(step.with_, Mapping):
        return {}
    given = step.with_.get("connections") or {}
    return dict(given) if isinstance(given, Mapping) else {}


def _undo(step: PlanStep, written: Compensation, spec: ToolSpec, effect: Effect) -> PlanStep:
    """The step that undoes *step*: it needs nothing, and nothing waits for it."""
    name = f"{step.name}!undo"
    schema = dict(spec.input_schema)
    return replace(
        step,
        name=name,
        tool=spec.name,
        slot=written.on,
        effect=effect,
        spec=spec,
        arguments=template_of(written.with_ or {}, f"steps.{step.name}.compensate.with", schema),
        fits=validator_for(schema).is_valid,
        accept=_acceptor(schema),
        when=None,
        when_per_item=False,
        items=None,
        need_count=0,
        feeds=(),
        retry=written.retry or Retry(),
        timeout=written.timeout or spec.timeout or DEFAULT_TIMEOUT,
        continues=False,
        tolerated=True,
        cleanup=True,
        first_call=f"{name}#1",
        construct="",
        batch=None,
        repeat=None,
        undoes=step.name,
        lookup=None,
        cache=None,
        resources=None,
        plain_end=False,
    )


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


def template_of(source: Any, where: str, schema: Mapping[str, Any] | None = None) -> Template:
    try:
        return Template(source, None if schema is None else _list_places(schema))
    except (ExpressionInvalid, ValueInvalid) as exc:
        raise ChainInvalid(f"{where}: {exc}") from exc


def _list_template(source: Any, name: str) -> Template:
    try:
        return listing(source)
    except (ExpressionInvalid, ValueInvalid) as exc:
        raise ChainInvalid(f"steps.{name}.for_each: {exc}") from exc


def _condition(source: Any, name: str, field: str) -> Condition:
    try:
        return Condition(source)
    except (ExpressionInvalid, ValueInvalid) as exc:
        raise ChainInvalid(f"steps.{name}.{field}: {exc}") from exc
