"""Compile a chain to a plan.

Edges are derived here: a step needs what its `with`, `when` and `for_each`
read, and what `after` names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from drawloom.chains.compiling_step import Part, template_of
from drawloom.chains.document import Chain
from drawloom.chains.plan import Outcome, Plan, PlanStep, Queueing, ToolSpec
from drawloom.chains.subchains import (
    CHAIN,
    Family,
    FindChain,
    child_name,
    child_spec,
    merged_slots,
)
from drawloom.errors import ChainInvalid
from drawloom.policies import Effect


def compile_chain(
    chain: Chain,
    find_tool: Callable[[str], ToolSpec],
    effects: Mapping[str, str] | None = None,
    *,
    find_chain: FindChain | None = None,
    children: Mapping[str, Plan] | None = None,
    within: tuple[str, ...] = (),
) -> Plan:
    """Compile *chain*. *find_tool* gives the tool of a name, *find_chain* a chain.

    *effects* are those recorded when a run began, *children* its sub-chains as they
    were then: a run keeps the rules that it began with, even if a tool or chain has
    changed since. *within* are the chains that this one is a part of. Raises
    `ChainInvalid`.
    """
    family = Family(chain, find_tool, find_chain, children, within, compile_chain)
    parts = [Part(name, step) for name, step in chain.steps.items()]
    order = _ordered(parts)
    specs = {part.name: _spec(part, find_tool, family) for part in order}
    undoing = {
        part.name: find_tool(part.step.compensate.use) for part in order if part.step.compensate
    }
    known = _effects([*specs.values(), *undoing.values()], effects or {})
    steps = _steps(order, specs, undoing, known, family)
    on_failure = family.on_failure()
    output = template_of(chain.output, "output")
    reads = output.reads.union(*(part.reads for part in order))
    return Plan(
        chain.name,
        chain.version or "",
        steps,
        output,
        MappingProxyType(dict(chain.vars or {})),
        MappingProxyType(merged_slots(chain, family.known, steps)),
        MappingProxyType(chain.input_schema),
        MappingProxyType(dict(chain.document)),
        MappingProxyType({name: str(effect) for name, effect in sorted(known.items())}),
        tuple(edge for part in order for edge in part.edges()),
        any(path[:1] in ((), ("run",)) for path in reads),
        children=MappingProxyType(dict(sorted(family.known.items()))),
        on_failure=on_failure,
        timeout=chain.timeout,
        queueing=_queueing(chain),
        priority=chain.priority or 0,
    )


def _steps(
    order: list[Part],
    specs: Mapping[str, ToolSpec],
    undoing: Mapping[str, ToolSpec],
    effects: Mapping[str, Effect],
    family: Family,
) -> tuple[PlanStep, ...]:
    index = {part.name: i for i, part in enumerate(order)}
    cleanup = _cleanup(order)
    handled = {n for part in order for n, outcome in part.needs.items() if outcome == "failed"}
    feeds: dict[str, list[tuple[int, Outcome]]] = {part.name: [] for part in order}
    for part in order:
        for source, outcome in part.needs.items():
            feeds[source].append((index[part.name], outcome))
    return tuple(
        part.compiled(
            index[part.name],
            specs[part.name],
            effects,
            tuple(feeds[part.name]),
            handled=part.name in handled,
            cleanup=part.name in cleanup,
            child=family.known.get(child_name(part.step) or ""),
            undo=undoing.get(part.name),
        )
        for part in order
    )


def _spec(part: Part, find_tool: Callable[[str], ToolSpec], family: Family) -> ToolSpec:
    if part.step.use == CHAIN:
        return child_spec(find_tool(CHAIN), family.of(part.name, part.step))
    return find_tool(part.step.use)


def _effects(tools: list[ToolSpec], recorded: Mapping[str, str]) -> dict[str, Effect]:
    return {tool.name: Effect(recorded.get(tool.name, tool.effect)) for tool in tools}


def _queueing(chain: Chain) -> Queueing | None:
    if chain.concurrency is None:
        return None
    key = template_of(chain.concurrency.key, "concurrency.key")
    if any(path[:1] != ("input",) for path in key.reads):
        raise ChainInvalid(
            "concurrency.key may read `input` only: it is known before a run begins"
        )
    return Queueing(chain.concurrency.limit, key)


def _ordered(parts: list[Part]) -> list[Part]:
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
    ready, order = [part.name for part in parts if not part.needs], list[Part]()
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


def _cleanup(order: list[Part]) -> set[str]:
    """Steps that ask to run after another has ended in any way, and those that follow them."""
    found: set[str] = set()
    for part in order:
        after = part.step.after
        if any(o == "finished" for o in after.values()) or not found.isdisjoint(part.needs):
            found.add(part.name)
    return found
