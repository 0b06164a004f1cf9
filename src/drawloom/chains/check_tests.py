"""Check the tests of a chain: that they speak of steps that there are, and of answers that fit.

All of it is a warning: a wrong test does not stop a run. `drawloom test` takes
each for an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from drawloom.chains.check_desk import Desk
from drawloom.chains.document import Chain, Step
from drawloom.chains.findings import did_you_mean
from drawloom.dataflow.references import Condition
from drawloom.dataflow.validation import validator_for
from drawloom.errors import ChainInvalid, ExpressionInvalid, ValueInvalid

Way = tuple[str | int, ...]

#: What a test's `that` may read.
SCOPE = ("output", "status", "failure", "input", "steps", "failures", "calls")
#: What can happen from outside, each with what it must come with.
EVENTS: Mapping[str, tuple[str, ...]] = {
    "cancel": (),
    "signal": (),
    "approve": ("by",),
    "reject": ("by",),
    "resolve": ("outcome",),
}
# What the engine does itself: an answer takes the place of the whole step.
CONSTRUCTS = frozenset({"core.chain", "core.wait", "core.approve"})


def check_tests(desk: Desk) -> None:
    """Every test of the chain. What the schema refuses already is passed over."""
    seen: set[str] = set()
    for number, test in enumerate(desk.chain.tests):
        path: Way = ("tests", number)
        if test["name"] in seen:
            message = f"there are two tests {test['name']!r}"
            _report(desk, "bad-test", message, (*path, "name"), "give each a name of its own")
        seen.add(test["name"])
        _check_now(desk, test, path)
        _check_part(desk, test, path)
        _check_answers(desk, test.get("answers", {}), (*path, "answers"))
        _check_events(desk, test.get("events", ()), (*path, "events"))
        _check_expect(desk, test.get("expect", {}), (*path, "expect"))


def _report(
    desk: Desk, code: str, message: str, path: Way, suggestion: str = "", *, key: bool = False
) -> None:
    desk.report(code, message, path, severity="warning", suggestion=suggestion, key=key)


def _check_now(desk: Desk, test: Mapping[str, Any], path: Way) -> None:
    if (written := test.get("now")) is None:
        return
    try:
        fits = datetime.fromisoformat(written).tzinfo is not None
    except ValueError:
        fits = False
    if not fits:
        message = f"{written!r} is not an instant of RFC 3339"
        _report(desk, "bad-test", message, (*path, "now"), 'write it like "2026-01-31T08:00:00Z"')


def _check_part(desk: Desk, test: Mapping[str, Any], path: Way) -> None:
    """A test of a part of the chain: pins and `only` name steps of the chain itself."""
    for name, end in test.get("pins", {}).items():
        _check_own_step(desk, name, (*path, "pins", name), at_key=True)
        if isinstance(end, Mapping) and ("output" in end) == ("fail" in end):
            message = "a pin is `skipped`, or has either `output` or `fail`"
            _report(desk, "bad-test", message, (*path, "pins", name))
    for number, name in enumerate(test.get("only", ())):
        _check_own_step(desk, name, (*path, "only", number))
        if name in test.get("pins", {}):
            message = f"step {name!r} is pinned, so it cannot run"
            _report(desk, "bad-test", message, (*path, "only", number), "take it out of one")


def _check_own_step(desk: Desk, name: str, path: Way, *, at_key: bool = False) -> None:
    steps = desk.chain.steps
    if name not in steps:
        message = f"chain {desk.chain.name!r} has no step {name!r}"
        more = did_you_mean(name, steps) or f"its steps: {', '.join(steps)}"
        _report(desk, "unknown-in-test", message, path, more, key=at_key)


# -- answers ---------------------------------------------------------------------


def _check_answers(desk: Desk, answers: Mapping[str, Any], path: Way) -> None:
    for key, written in answers.items():
        tool, problem = _answered(desk, key)
        if problem:
            _report(desk, "unknown-in-test", problem[0], (*path, key), problem[1], key=True)
        for entry, way in _entries(written, (*path, key)):
            _check_answer(desk, entry, tool, way)


def _entries(written: Any, path: Way) -> Iterator[tuple[Mapping[str, Any], Way]]:
    if isinstance(written, list):
        yield from ((entry, (*path, n)) for n, entry in enumerate(written))
    else:
        yield written, path


def _check_answer(desk: Desk, entry: Mapping[str, Any], tool: Any, path: Way) -> None:
    if ("output" in entry) == ("fail" in entry):
        message = "an answer has either `output` or `fail`"
        more = "give `output: null` for a tool that gives nothing"
        _report(desk, "bad-answer", message, path, more)
    elif "output" in entry and tool is not None:
        _check_chunks(desk, entry, tool, path)
        try:
            if getattr(tool, "streams", False):
                check_items(tool, entry["output"])
            else:
                validator_for(tool.output_schema).check(entry["output"], "this answer")
        except ValueInvalid as exc:
            message = f"{tool.name} cannot give that: {exc.reason}"
            more = f"see `drawloom tools show {tool.name}`"
            _report(desk, "bad-answer", message, (*path, "output", *_way(exc.path)), more)


def _check_chunks(desk: Desk, entry: Mapping[str, Any], tool: Any, path: Way) -> None:
    """Whether the `chunks` of an answer are those of a stream, and give all of its items."""
    chunks, items = entry.get("chunks"), entry["output"]
    if chunks is None:
        return
    if not getattr(tool, "streams", False):
        message = f"{tool.name} gives no stream, so its answer comes in one piece"
        _report(desk, "bad-answer", message, (*path, "chunks"), "remove `chunks`")
    elif isinstance(items, list) and sum(chunks) != len(items):
        message = f"the chunks have {sum(chunks)} items, and the answer {len(items)}"
        _report(desk, "bad-answer", message, (*path, "chunks"))


def check_items(tool: Any, items: Any) -> None:
    """Whether *items* are a list that a tool of streams can give. Raises `ValueInvalid`."""
    if not isinstance(items, list):
        raise ValueInvalid("the answer of a stream is the list of its items")
    for number, item in enumerate(items):
        try:
            validator_for(tool.item_schema).check(item, "this item")
        except ValueInvalid as exc:
            raise ValueInvalid(exc.reason, f"/{number}{exc.path}") from None


def _way(pointer: str) -> Way:
    parts = pointer.split("/")[1:]
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in parts)


def _answered(desk: Desk, key: str) -> tuple[Any, tuple[str, str] | None]:
    """The tool whose answer *key* names (None where it is not known), or what is wrong with it."""
    if "." in key and "/" not in key:
        return _answered_tool(desk, key)
    chain, step, problem = step_named(desk, key)
    if chain is None or step is None:
        return None, problem
    name = key.rpartition("/")[2]
    if "!" in name:
        if step.compensate is None or not name.partition("#")[0].endswith("!undo"):
            return None, (f"nothing undoes step {step.name!r}", "it has no `compensate`")
        return _tool(desk, step.compensate.use), None
    if step.use in (*CONSTRUCTS, "core.enrich"):
        return None, None
    return _tool(desk, step.use), None


def _answered_tool(desk: Desk, name: str) -> tuple[Any, tuple[str, str] | None]:
    used = {step.use for step in desk.chain.steps.values()}
    used |= {step.compensate.use for step in desk.chain.steps.values() if step.compensate}
    if name not in used and not used & {"core.chain", "core.enrich"}:
        return None, (f"no step uses the tool {name!r}", did_you_mean(name, used))
    return _tool(desk, name), None


def _tool(desk: Desk, name: str) -> Any:
    try:
        return desk.find_tool(name)
    except KeyError:
        return None  # a finding of its own says so


def step_named(desk: Desk, key: str) -> tuple[Chain | None, Step | None, tuple[str, str] | None]:
    """The step that *key* (`late`, `tell[3]#2`, `double/twice`) names, or what is wrong."""
    prefix, _, place = key.rpartition("/")
    chain: Chain | None = desk.chain
    if prefix and prefix != desk.chain.name:
        chain = _other_chain(desk, prefix)
        if chain is None:
            return None, None, (f"there is no chain {prefix!r}", "write CHAIN/STEP")
    assert chain is not None
    name = place.partition("#")[0].partition("[")[0].partition("!")[0].partition("<")[0]
    step = chain.steps.get(name)
    if step is None:
        more = did_you_mean(name, chain.steps) or f"its steps: {', '.join(chain.steps)}"
        return None, None, (f"chain {chain.name!r} has no step {name!r}", more)
    return chain, step, None


def _other_chain(desk: Desk, name: str) -> Chain | None:
    try:
        return None if desk.find_chain is None else desk.find_chain(name)
    except (KeyError, ChainInvalid):
        return None


# -- events and expectations -----------------------------------------------------


def _check_events(desk: Desk, events: Any, path: Way) -> None:
    for number, event in enumerate(events):
        kinds = [name for name in EVENTS if name in event]
        if len(kinds) != 1:
            message = f"an event is one of {', '.join(EVENTS)}"
            _report(desk, "bad-test", message, (*path, number))
            continue
        for need in EVENTS[kinds[0]]:
            if need not in event:
                message = f"`{kinds[0]}` needs `{need}`"
                _report(desk, "bad-test", message, (*path, number), f"add `{need}: …`")
        if kinds[0] in ("approve", "reject", "resolve"):
            _check_step(desk, event[kinds[0]], (*path, number, kinds[0]))


def _check_step(desk: Desk, key: str, path: Way, *, at_key: bool = False) -> None:
    if problem := step_named(desk, key)[2]:
        _report(desk, "unknown-in-test", problem[0], path, problem[1], key=at_key)


def _check_expect(desk: Desk, expect: Mapping[str, Any], path: Way) -> None:
    for field in ("steps", "calls"):
        for key in expect.get(field, {}):
            _check_step(desk, key, (*path, field, key), at_key=True)
    for number, source in enumerate(expect.get("that", ())):
        _check_condition(desk, source, (*path, "that", number))


def _check_condition(desk: Desk, source: str, path: Way) -> None:
    try:
        reads = Condition(source).reads
    except ExpressionInvalid as exc:
        _report(desk, "bad-test", f"the condition cannot be read: {exc}", path)
        return
    for name in sorted({way[0] for way in reads if way} - set(SCOPE)):
        more = did_you_mean(name, SCOPE) or f"it may read {', '.join(SCOPE)}"
        _report(desk, "bad-test", f"a condition of a test cannot read {name!r}", path, more)
