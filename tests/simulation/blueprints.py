"""Random chains, drawn together with what the oracle needs to know of them.

A blueprint never looks at a `Plan`: its edges, conditions and arguments are
written down beside the document, so that the oracle does not repeat what the
compiler derived.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from drawloom.chains import Plan, chain_of, compile_chain
from drawloom.policies import Effect

# More than the simulated kernel's budget: it has to be evaluated elsewhere.
LARGE = "$sum($map([1..400], function($x){$x}))"
LARGE_VALUE = sum(range(1, 401))
INPUT: dict[str, Any] = {
    "yes": True,
    "no": False,
    "list": [5, 2, 9, 4],
    "none": [],
    "six": [1, 2, 3, 4, 5, 6],
}

EFFECTS = ("pure", "read", "idempotent", "keyed", "once")
Outputs = Mapping[str, Any]  # of the steps that succeeded


@dataclass
class Draft:
    """One step: its part of the document, and what the oracle knows of it."""

    name: str
    effect: str
    document: dict[str, Any]
    edges: dict[str, str] = field(default_factory=dict)
    args: dict[str, Callable[[Outputs], Any]] = field(default_factory=dict)
    item_args: bool = False
    broken: bool = False  # its arguments cannot be had
    large_args: bool = False
    when: Callable[[Outputs], Any] | None = None  # gives something else than a bool: broken
    large_when: bool = False
    item_when: Callable[[Any], bool] | None = None
    items: Callable[[Outputs], list[Any]] | None = None
    large_items: bool = False
    concurrency: int = 10

    @property
    def join_any(self) -> bool:
        return bool(self.document.get("join") == "any")

    @property
    def continues(self) -> bool:
        return bool(self.document.get("on_error") == "continue")


@dataclass
class Blueprint:
    """A random chain: its plan for the kernel, its drafts for the oracle."""

    drafts: dict[str, Draft]
    plan: Plan
    output: Callable[[Outputs], Any]
    output_broken: bool
    output_large: bool

    def tolerated(self, name: str) -> bool:
        """Whether a failure of this step leaves the run alive."""
        handled = any(d.edges.get(name) == "failed" for d in self.drafts.values())
        return handled or self.drafts[name].continues

    def cleanup(self, name: str) -> bool:
        """Whether it runs on when the run stops: it, or what it needs, asks for any end."""
        draft = self.drafts[name]
        asked = "finished" in draft.document.get("after", {}).values()
        return asked or any(self.cleanup(source) for source in draft.edges)


def draw(rng: random.Random) -> Blueprint:
    """A random chain."""
    drafts: dict[str, Draft] = {}
    for number in range(rng.choice((1, 2, 3, 4, 5, 5, 6, 7, 8, 9))):
        draft = _step(rng, f"s{number}", drafts)
        drafts[draft.name] = draft
    source, output, broken, large = _output(rng, drafts)
    shuffled = list(drafts)
    rng.shuffle(shuffled)
    document = {
        "chain": "sim",
        "input": {name: {"default": value} for name, value in INPUT.items()},
        "vars": {"three": 3},
        "steps": {name: drafts[name].document for name in shuffled},
        "output": source,
    }
    plan = compile_chain(chain_of(document), _tool)
    return Blueprint(drafts, plan, output, broken, large)


def _tool(name: str) -> Any:
    schema: dict[str, Any] = {"type": "object"}
    effect = Effect(name.partition(".")[2])
    return SimpleNamespace(
        name=name, effect=effect, connection=None, timeout=None, input_schema=schema,
        output_schema={},
    )  # fmt: skip


def _step(rng: random.Random, name: str, before: dict[str, Draft]) -> Draft:
    effect = rng.choice(EFFECTS)
    draft = Draft(name, effect, {"use": f"t.{effect}", "with": {"me": name}})
    draft.args["me"] = lambda outputs: name
    if rng.random() < 0.3:
        draft.document["join"] = "any"
    for source in rng.sample(sorted(before), min(len(before), rng.choice((0, 1, 1, 2, 2, 3)))):
        _edge(rng, draft, before[source])
    _arguments(rng, draft)
    _condition(rng, draft, before)
    if rng.random() < 0.3:
        _items(rng, draft, before)
    if rng.random() < 0.2:
        draft.document["on_error"] = "continue"
    if rng.random() < 0.6:
        draft.document["retry"] = _retry(rng)
    return draft


def _edge(rng: random.Random, draft: Draft, source: Draft) -> None:
    kind = rng.choice(("read", "read", "read", "after", "failed", "why", "finished"))
    name, given = source.name, draft.document["with"]
    if kind == "read" and draft.join_any:
        given[f"from_{name}"] = f"${{$exists(steps.{name})}}"
        draft.args[f"from_{name}"] = lambda outputs: name in outputs
    elif kind == "read":
        given[f"from_{name}"] = f"${{steps.{name}}}"
        draft.args[f"from_{name}"] = lambda outputs: outputs[name]
    elif kind == "why":
        given[f"why_{name}"] = f"${{$exists(failures.{name}) or true}}"
        draft.args[f"why_{name}"] = lambda outputs: True
    else:
        outcome = "succeeded" if kind == "after" else kind
        draft.document.setdefault("after", {})[name] = outcome
    # What reads the failure of a step that may continue runs after it either way.
    softened = "finished" if source.continues else "failed"
    draft.edges[name] = {"read": "succeeded", "after": "succeeded", "why": softened}.get(
        kind, kind
    )


def _arguments(rng: random.Random, draft: Draft) -> None:
    given, chance = draft.document["with"], rng.random()
    if chance < 0.06:
        given["large"] = f"${{{LARGE} + vars.three}}"
        draft.args["large"] = lambda outputs: LARGE_VALUE + 3
        draft.large_args = True
    elif chance < 0.09:
        given["bad"] = "${input.nowhere}"
        draft.broken = True


def _condition(rng: random.Random, draft: Draft, before: dict[str, Draft]) -> None:
    reads = [
        s for s, outcome in draft.edges.items() if outcome == "succeeded" and not before[s].items
    ]
    chance = rng.random()
    if chance < 0.08:
        draft.document["when"], draft.when = "input.no", lambda outputs: False
    elif chance < 0.14:
        draft.document["when"], draft.when = "input.yes", lambda outputs: True
    elif chance < 0.28 and reads and not draft.join_any:
        name = rng.choice(reads)
        draft.document["when"] = f"steps.{name}.n > 2"
        draft.when = lambda outputs: outputs[name]["n"] > 2
    elif chance < 0.33:
        number = rng.choice((3, 3, 4))
        draft.document["when"] = f"{LARGE} > 0 and vars.three = {number}"
        draft.when, draft.large_when = lambda outputs: number == 3, True
    elif chance < 0.35:
        draft.document["when"], draft.when = "vars.three + 1", lambda outputs: 4


def _items(rng: random.Random, draft: Draft, before: dict[str, Draft]) -> None:
    sources = [s for s, outcome in draft.edges.items() if outcome == "succeeded"]
    kind = rng.choice(("list", "six", "none", "large", "step", "step"))
    if kind == "step" and sources and not draft.join_any:
        name = rng.choice(sources)
        path, fan = f"steps.{name}", before[name].items is not None
        draft.document["for_each"] = f"${{{path if fan else path + '.list'}}}"
        draft.items = lambda outputs: outputs[name] if fan else outputs[name]["list"]
    elif kind == "large":
        draft.document["for_each"] = "${$filter([1..400], function($x){$x <= 3})}"
        draft.items, draft.large_items = lambda outputs: [1, 2, 3], True
    else:
        known = kind if kind in INPUT else "six"
        draft.document["for_each"] = f"${{input.{known}}}"
        draft.items = lambda outputs: INPUT[known]
    draft.document["with"] |= {"item": "${item}", "at": "${index}"}
    draft.item_args = True
    draft.concurrency = draft.document["concurrency"] = rng.choice((1, 2, 3, 10))
    if "when" not in draft.document and rng.random() < 0.3:
        draft.document["when"] = "index % 2 = 0"
        draft.item_when = lambda index: index % 2 == 0


def _retry(rng: random.Random) -> dict[str, Any]:
    retry: dict[str, Any] = {
        "attempts": rng.randint(1, 4),
        "delay": rng.choice((0.5, 1.0, 2.0)),
        "factor": rng.choice((1.0, 2.0, 3.0)),
        "max_delay": rng.choice((2.0, 60.0)),
        "jitter": rng.choice((0.0, 0.5, 1.0)),
    }
    if rng.random() < 0.2:
        retry["budget"] = rng.choice((1.0, 10.0))
    if rng.random() < 0.3:
        kinds = ["throttled", "transient", "timeout", "denied", "missing", "conflict"]
        retry["on"] = rng.sample(kinds, 3)
    return retry


def _output(
    rng: random.Random, drafts: dict[str, Draft]
) -> tuple[Any, Callable[[Outputs], Any], bool, bool]:
    chance = rng.random()
    if chance < 0.05:
        return {"bad": "${input.nowhere}"}, lambda outputs: None, True, False
    if chance < 0.12:
        return {"large": f"${{{LARGE}}}"}, lambda outputs: {"large": LARGE_VALUE}, False, True
    name = rng.choice(sorted(drafts))
    source = {"there": f"${{$exists(steps.{name})}}"}
    return source, lambda outputs: {"there": name in outputs}, False, False
