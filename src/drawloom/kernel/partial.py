"""A run of a part of its chain: steps that have ended already, and the steps that may run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from drawloom.chains.plan import Plan
from drawloom.dataflow.large_values import gathered
from drawloom.errors import ValueInvalid
from drawloom.kernel.failures import describe
from drawloom.kernel.messages import Pin, Started

if TYPE_CHECKING:
    from drawloom.kernel.run import Run


def check(plan: Plan, pins: Collection[str], only: Collection[str] | None) -> None:
    """Whether such a run can be made. Raises `ValueInvalid` naming the step."""
    for name in (*pins, *(only or ())):
        if name not in plan.by_name or plan.by_name[name].undoes:
            known = ", ".join(step.name for step in plan.steps)
            raise ValueInvalid(f"the chain has no step {name!r}; it has {known}")
    if only is None:
        return
    for edge in plan.connections:
        have = edge.source in pins or edge.source in only
        if edge.target in only and edge.target not in pins and not have:
            raise ValueInvalid(
                f"step {edge.target!r} needs {edge.source!r}, which is neither run nor pinned; "
                "pin it, or run it, too"
            )


def before(plan: Plan, name: str) -> frozenset[str]:
    """The steps that *name* rests on, directly or not."""
    return _reached(plan, name, {e.target: [] for e in plan.connections}, backwards=True)


def behind(plan: Plan, name: str) -> frozenset[str]:
    """The steps that rest on *name*, directly or not."""
    return _reached(plan, name, {e.source: [] for e in plan.connections}, backwards=False)


def _reached(
    plan: Plan, name: str, others: dict[str, list[str]], *, backwards: bool
) -> frozenset[str]:
    for edge in plan.connections:
        start, end = (edge.target, edge.source) if backwards else (edge.source, edge.target)
        others[start].append(end)
    found: set[str] = set()
    todo = [name]
    while todo:
        for other in others.get(todo.pop(), ()):
            if other not in found:
                found.add(other)
                todo.append(other)
    return frozenset(found)


def apply(run: Run, started: Started) -> None:
    """End what is pinned or left out, in the order in which steps may run."""
    pins: Mapping[str, Pin] = started.pins or {}
    for life in run.lives:
        name = life.step.name
        pin = pins.get(name)
        if pin is None and (started.only is None or name in started.only):
            continue
        if pin is None or pin.status == "skipped":
            run._move(life, "skip")
        elif pin.status == "failed" and pin.failure is not None:
            run._move(life, "give up")
            life.failure = pin.failure
            run.scope["failures"][name] = describe(pin.failure)
        else:
            run._move(life, "pin")
            run.scope["steps"][name] = pin.output
        run._settle(life)


def output(run: Run, only: Collection[str]) -> Any:
    """What a run of a part gives: what its steps gave, by name."""
    steps = run.scope["steps"]
    return gathered({name: steps[name] for name in only if name in steps})
