"""Chains that a chain starts: `core.chain` steps, and the chain for its failure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from drawloom.chains.document import Chain, Step
from drawloom.chains.narrowing import output_of
from drawloom.chains.plan import Plan, PlanStep, ToolSpec
from drawloom.dataflow.navigation import at
from drawloom.dataflow.references import Template
from drawloom.errors import ChainInvalid
from drawloom.policies import Effect

CHAIN: Final = "core.chain"
#: How deep chains may lie in each other. A cycle is an error of its own.
DEEPEST: Final = 16

# Raises `KeyError` where there is no such chain, `ChainInvalid` where it is wrong.
FindChain: TypeAlias = Callable[[str], Chain]


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """`core.chain` as a tool whose input and output are those of one chain."""

    name: str
    effect: Effect
    input_schema: Mapping[str, Any]
    output_schema: Mapping[str, Any]
    connection: str | None = None
    timeout: float | None = None
    construct: str = "chain"


class Family:
    """The sub-chains of one chain, compiled when they are first asked for."""

    def __init__(
        self,
        chain: Chain,
        find_tool: Callable[[str], ToolSpec],
        find_chain: FindChain | None,
        children: Mapping[str, Plan] | None,
        within: tuple[str, ...],
        compile_chain: Callable[..., Plan],
    ) -> None:
        self.known: dict[str, Plan] = {}
        self._chain = chain
        self._find_tool = find_tool
        self._find_chain = find_chain
        self._recorded = children
        self._within = (*within, chain.name)
        self._compile = compile_chain

    def of(self, name: str, step: Step) -> Plan:
        """The plan of the chain that a step starts. Raises `ChainInvalid`."""
        child = child_name(step)
        if child is None:
            raise ChainInvalid(
                f"steps.{name}.with.chain: write the name of the chain out; "
                "a run must know its chains when it begins",
                code="unknown-chain",
            )
        return self._plan(child, f"steps.{name}.with.chain")

    def on_failure(self) -> str:
        """The name of the chain to start when a run fails, "" if there is none."""
        if self._chain.on_failure is None:
            return ""
        plan = self._plan(self._chain.on_failure, "on_failure")
        needed = set(plan.input_schema["required"]) - FAILURE_INPUT.keys()
        if needed:
            raise ChainInvalid(
                f"on_failure: chain {plan.name} needs {', '.join(sorted(needed))}; it is given "
                f"{', '.join(FAILURE_INPUT)}, and whatever else needs a default"
            )
        return plan.name

    def _plan(self, name: str, where: str) -> Plan:
        if name not in self.known:
            self.known[name] = self._compiled(name, where)
        return self.known[name]

    def _compiled(self, name: str, where: str) -> Plan:
        if self._recorded is not None:
            if name not in self._recorded:
                raise ChainInvalid(f"{where}: chain {name!r} is not among those of the run")
            return self._recorded[name]
        if name in self._within:
            way = " -> ".join([*self._within[self._within.index(name) :], name])
            message = f"{where}: these chains start each other for ever: {way}"
            raise ChainInvalid(message, code="chain-cycle")
        if len(self._within) >= DEEPEST:
            message = f"{where}: chains lie more than {DEEPEST} deep in each other"
            raise ChainInvalid(message, code="chain-cycle")
        if self._find_chain is None:
            message = f"{where}: there is no chain {name!r} to be had here"
            raise ChainInvalid(message, code="unknown-chain")
        try:
            found = self._find_chain(name)
        except KeyError as exc:
            why = str(exc.args[0]) if exc.args else name
            raise ChainInvalid(f"{where}: {why}", code="unknown-chain") from None
        return self._compile(
            found, self._find_tool, find_chain=self._find_chain, within=self._within
        )


# What a chain for failures may declare as its input, each by its name.
FAILURE_INPUT: Final[Mapping[str, Mapping[str, Any]]] = {
    "run": {"type": "string"},
    "chain": {"type": "string"},
    "failure": {"type": "object"},
    "input": {"type": "object"},
}


def child_name(step: Step) -> str | None:
    """The chain that a `core.chain` step names, if it is written out."""
    given = step.with_.get("chain") if isinstance(step.with_, Mapping) else None
    written = step.use == CHAIN and isinstance(given, str) and "${" not in given
    return given if written else None


def child_spec(tool: ToolSpec, plan: Plan) -> ChildSpec:
    """What `core.chain` takes and gives where it starts *plan*."""
    schema = dict(tool.input_schema)
    given = {k: v for k, v in plan.input_schema.items() if k != "$schema"}
    properties = {**schema["properties"], "chain": {"const": plan.name}, "input": given}
    required = ["chain", *(["input"] if plan_needs_input(plan) else [])]
    made = {**schema, "properties": properties, "required": required}
    return ChildSpec(tool.name, Effect.KEYED, made, output_schema(plan))


def plan_needs_input(plan: Plan) -> bool:
    """Whether a run of *plan* cannot begin without input."""
    return bool(plan.input_schema["required"])


def output_schema(plan: Plan) -> dict[str, Any]:
    """What is known of a chain's output: the shape of its `output`, typed by plain references."""
    return _shape(plan.output.source, plan)


def _shape(source: Any, plan: Plan) -> dict[str, Any]:
    if isinstance(source, Mapping):
        if source.keys() == {"$jsonpath"}:
            return {"type": "array"}
        return {
            "type": "object",
            "properties": {name: _shape(inner, plan) for name, inner in source.items()},
            "required": list(source),
            "additionalProperties": False,
        }
    if isinstance(source, list):
        return {"type": "array"}
    if isinstance(source, str) and "${" in source:
        return _referenced(source, plan)
    return {"const": source}


def _referenced(source: str, plan: Plan) -> dict[str, Any]:
    [first, *others] = Template(source).references
    if others or not first.whole:
        return {"type": "string"}
    path = first.path
    if path is None or path[0] != "steps" or len(path) < 2 or path[1] not in plan.by_name:
        return {}
    step = plan.by_name[str(path[1])]
    if step.items is not None or step.lookup is not None or step.construct == "stream":
        return {}
    place = at(output_of(step.spec, step.arguments.source, step.slot), path[2:])
    known = place.found and not place.mapped and isinstance(place.schema, Mapping)
    schema = dict(place.schema) if known else {}
    # A part of a schema that points elsewhere in it is not taken out of it.
    return {} if "$ref" in str(schema) else schema


def merged_slots(
    chain: Chain, children: Mapping[str, Plan], steps: Iterable[PlanStep]
) -> dict[str, str]:
    """The slots of the chain and those that its sub-chains need bound, by name and kind."""
    slots = dict(chain.connections or {})
    renamed = {step.child.name: step.child_slots for step in steps if step.child is not None}
    for name, child in children.items():
        for slot, kind in child.slots.items():
            ours = renamed.get(name, {}).get(slot, slot)
            if slots.setdefault(ours, kind) != kind:
                raise ChainInvalid(
                    f"the slot {ours!r} is of kind {slots[ours]}, and chain {name} wants a {kind} "
                    "there; give it another with `connections` in the step's `with`"
                )
    return slots
