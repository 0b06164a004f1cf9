"""What a run would do, step by step, with nothing done.

Steps are taken in their order. A `pure` tool is called for real, so that what
rests on it is known; a `read` one only if asked for. Of any other step the
tool's planner says what it would touch, and its output stays unknown.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any, Final

from drawloom.chains.plan import Plan, PlanStep
from drawloom.dataflow.expressions import FULL
from drawloom.dataflow.references import Evaluation, Template
from drawloom.errors import ExpressionInvalid, Failure, FailureKind, ToolError, ValueInvalid
from drawloom.kernel.streaming import value_of
from drawloom.sdk.planning import Touch
from drawloom.testing.looking import Looks
from drawloom.testing.planned import Planned, State

MOST_CALLS: Final = 1_000  # of one `for_each`, for real
_MOST_ASKED: Final = 20  # items of which a planner is asked
_WRONG = (ExpressionInvalid, ValueInvalid)


class Forecast:
    """The plan of one run. `now` is in microseconds since 1970 (UTC)."""

    def __init__(
        self,
        plan: Plan,
        accepted: Mapping[str, Any],
        slots: Mapping[str, str],
        looks: Looks,
        now: int,
    ) -> None:
        self._plan = plan
        self._slots = slots
        self._looks = looks
        self._evaluation = Evaluation(FULL, now, "plan")
        run = {"id": "plan", "chain": plan.name, "version": plan.version}
        self._scope: dict[str, Any] = {
            "input": dict(accepted), "steps": {}, "failures": {}, "vars": dict(plan.variables),
            "run": run,
        }  # fmt: skip
        self._ended: dict[str, State] = {}  # how it is known that a step ends

    async def steps(self) -> AsyncIterator[Planned]:
        """Every step, in the order in which they may run."""
        for step in self._plan.steps:
            found = await self._step(step)
            if found.known or found.state in ("skipped", "fails"):
                self._ended[step.name] = found.state
            yield found
            async for inner in self._inside(step, found):
                yield inner

    async def _inside(self, step: PlanStep, about: Planned) -> AsyncIterator[Planned]:
        """The steps of a sub-chain, as `STEP/INNER`; and its output, if all of it is known."""
        child = step.child
        if child is None or about.state != "calls" or about.waits_for or step.items is not None:
            return
        names = {slot: step.child_slots.get(slot, slot) for slot in child.slots}
        slots = {slot: self._slots.get(name, name) for slot, name in names.items()}
        accepted = child.accept_input(about.args.get("input"))
        inner = Forecast(child, accepted, slots, self._looks, self._evaluation.at)
        known = True
        async for found in inner.steps():
            known = known and (found.known or found.state == "skipped")
            yield replace(found, name=f"{step.name}/{found.name}")
        if known:
            output = child.output.fill(inner._scope, self._evaluation)
            self._scope["steps"][step.name] = output
            self._ended[step.name] = "calls"

    async def _step(self, step: PlanStep) -> Planned:
        about = Planned(step.name, step.tool, str(step.effect))
        if why := self._passed_over(step):
            return replace(about, state="skipped", why=why)
        about = self._uncertain(step, about)
        try:
            about = self._conditional(step, about)
            if about.state == "skipped":
                return about
            return await self._called(step, about)
        except _WRONG as exc:
            self._fail(step, Failure(FailureKind.INVALID, str(exc)))
            return replace(about, state="fails", why=str(exc))
        except ToolError as exc:
            self._fail(step, exc.failure)
            return replace(about, state="fails", why=str(exc.failure))

    def _fail(self, step: PlanStep, failure: Failure) -> None:
        told = {"kind": str(failure.kind), "message": failure.message}
        self._scope["failures"][step.name] = told

    # -- whether it runs ---------------------------------------------------------

    def _passed_over(self, step: PlanStep) -> str:
        """Why the step is skipped, by what is known of the steps before it."""
        needs = [edge for edge in self._plan.connections if edge.target == step.name]
        dead = [
            edge.source
            for edge in needs
            if (ended := self._ended.get(edge.source)) is not None
            and not _fits(edge.outcome, ended)
        ]
        if not dead or (step.join_any and len(dead) < len(needs)):
            return ""
        said = {"skipped": "is skipped", "fails": "fails"}
        return f"{dead[0]} {said.get(self._ended[dead[0]], 'succeeds')}"

    def _uncertain(self, step: PlanStep, about: Planned) -> Planned:
        routes = [
            edge.source
            for edge in self._plan.connections
            if edge.target == step.name
            and edge.outcome == "failed"
            and edge.source not in self._ended
        ]
        if routes:
            return replace(about, state="maybe", why=f"only if {routes[0]} fails")
        return about

    def _conditional(self, step: PlanStep, about: Planned) -> Planned:
        if step.when is None or step.when_per_item:
            return about
        source = str(step.when.source)
        if lacking := self._lacking(step.when.reads):
            return replace(about, state="maybe", why=_if(source, lacking))
        if step.when.holds(self._scope, self._evaluation):
            return about
        return replace(about, state="skipped", why=f"`{source}` is false")

    def _lacking(self, reads: frozenset[tuple[str, ...]]) -> tuple[str, ...]:
        """The steps that *reads* speak of, and of which nothing is known yet."""
        return tuple(name for name in _steps_of(reads) if name not in self._ended)

    # -- what it does ------------------------------------------------------------

    async def _called(self, step: PlanStep, about: Planned) -> Planned:
        items: list[Any] | None = None
        if step.items is not None:
            found = None
            if not (lacking := self._lacking(step.items.reads)):
                found = step.items.fill(self._scope, self._evaluation)
                lacking = _steps_of(step.items.reads)
            if not isinstance(found, list):  # not known yet, or a stream
                about = replace(about, waits_for={"for_each": lacking})
                return self._partly(step, about, self._scope)
            items = _batched(found, step.batch)
            about = replace(about, items=len(items))
        if (
            step.construct not in ("", "stream")
            or step.repeat is not None
            or self._lacking(step.arguments.reads)
        ):
            return self._partly(step, about, self._scope_of(items, 0) if items else self._scope)
        calls = [self._args(step, self._scope_of(items, n)) for n in range(len(items or [0]))]
        if items is not None and not items:
            calls = []
        return await self._known(step, about, calls, items is not None)

    def _scope_of(self, items: list[Any] | None, index: int) -> dict[str, Any]:
        if not items:
            return self._scope
        return {**self._scope, "item": items[index], "index": index}

    def _args(self, step: PlanStep, scope: dict[str, Any]) -> dict[str, Any]:
        filled = step.arguments.fill(scope, self._evaluation)
        return filled if step.fits(filled) else step.accept(filled)

    def _partly(self, step: PlanStep, about: Planned, scope: dict[str, Any]) -> Planned:
        """The arguments that are known; of the others, the steps that they wait for."""
        source = step.arguments.source
        if not isinstance(source, Mapping):
            source = {"with": source}
        known: dict[str, Any] = {}
        waits: dict[str, tuple[str, ...]] = dict(about.waits_for)
        for name, written in source.items():
            template = Template(written)
            if lacking := self._lacking(template.reads):
                waits[name] = lacking
            elif "item" in scope or not any(
                p[:1] in (("item",), ("index",)) for p in template.reads
            ):
                known[name] = template.fill(scope, self._evaluation)
        return replace(about, args=known, waits_for=waits)

    async def _known(
        self, step: PlanStep, about: Planned, calls: list[dict[str, Any]], fanned: bool
    ) -> Planned:
        tool: Any = step.spec
        slot = None if step.slot is None else self._slots.get(step.slot, step.slot)
        about = replace(about, args=calls[0] if calls else {})
        certain = about.state == "calls" and not step.when_per_item and step.lookup is None
        plain = not step.construct and not tool.stream_inputs
        if certain and plain and self._looks.may_call(tool) and len(calls) <= MOST_CALLS:
            outputs = [await self._looks.call(tool, slot, args) for args in calls]
            self._scope["steps"][step.name] = outputs if fanned else outputs[0]
            return replace(about, touches=(), known=True)
        if step.construct == "stream" and certain and calls:
            self._scope["steps"][step.name] = value_of(step, calls[0])
            about = replace(about, known=True)  # how it is opened, which is all there is
        told: list[Touch] = []
        for args in calls[:_MOST_ASKED]:
            one = await self._looks.touches(tool, slot, args)
            if one is None:
                return about
            told += one
        return replace(about, touches=tuple(told))


def _fits(outcome: str, ended: State) -> bool:
    if ended == "skipped":
        return False
    return outcome == "finished" or (outcome == "failed") == (ended == "fails")


def _steps_of(reads: frozenset[tuple[str, ...]]) -> tuple[str, ...]:
    """The steps that *reads* speak of."""
    names = {path[1] for path in reads if len(path) > 1 and path[0] in ("steps", "failures")}
    return tuple(sorted(names))


def _if(source: str, lacking: tuple[str, ...]) -> str:
    return f"only if `{source}`, known once {', '.join(lacking)} has run"


def _batched(items: list[Any], size: int | None) -> list[Any]:
    if size is None:
        return items
    return [items[start : start + size] for start in range(0, len(items), size)]
