"""Check the chain as a whole: cycles, `after`, the input, and what nobody uses."""

from __future__ import annotations

from collections.abc import Mapping

from drawloom.chains.check_desk import Desk
from drawloom.chains.findings import did_you_mean
from drawloom.dataflow.validation import Validator
from drawloom.errors import ValueInvalid
from drawloom.policies import Effect

Way = tuple[str | int, ...]
# Which steps each step waits for, and where that is written: path, and offset in the text.
Needs = Mapping[str, Mapping[str, tuple[Way, int | None]]]

# These are used for what they do to the run, not for what they give.
_NOT_FOR_OUTPUT = frozenset({"core.fail", "core.validate", "core.log", "core.sleep"})


def check_graph(desk: Desk) -> None:
    """Run after the references: it needs to know what each step reads."""
    needs = _needs(desk)
    _check_cycles(desk, needs)
    _check_unused(desk, needs)


def check_inputs(desk: Desk) -> None:
    """Each input's schema, and its default by it."""
    for name, schema in desk.chain.input.items():
        path: Way = ("input", name)
        try:
            validator = Validator(dict(schema))
        except ValueInvalid as exc:
            inner = tuple(part for part in exc.path.split("/")[1:])
            desk.report("bad-input-schema", f"input {name}: {exc.reason}", (*path, *inner))
            continue
        if "default" in schema:
            for pointer, message in validator.errors(schema["default"]):
                inner = tuple(pointer.split("/")[1:])
                said = f"the default of input {name} does not fit its own schema: {message}"
                desk.report("bad-default", said, (*path, "default", *inner))


def _needs(desk: Desk) -> Needs:
    needs: dict[str, dict[str, tuple[Way, int | None]]] = {name: {} for name in desk.chain.steps}
    for read in desk.reads:
        root, name = (*read.names, "", "")[:2]
        if read.reader and root in ("steps", "failures") and name in needs:
            needs[read.reader].setdefault(name, (read.path, read.offset))
    written = desk.chain.document.get("steps", {})
    for name, step in desk.chain.steps.items():
        listed = isinstance(written.get(name, {}).get("after"), list)
        for index, other in enumerate(step.after):
            path = ("steps", name, "after", index if listed else other)
            if other in needs:
                needs[name].setdefault(other, (path, None))
            else:
                more = did_you_mean(other, needs)
                message = f"there is no step {other!r}"
                desk.report("unknown-step", message, path, key=not listed, suggestion=more)
    return needs


def _check_cycles(desk: Desk, needs: Needs) -> None:
    done: set[str] = set()
    for start in needs:
        if start not in done:
            _walk(desk, needs, start, done)


def _walk(desk: Desk, needs: Needs, start: str, done: set[str]) -> None:
    """Depth first, without recursion: a chain may have thousands of steps in a row."""
    way, places = [start], {start: 0}
    left = [iter(needs[start])]
    while way:
        other = next(left[-1], None)
        if other is None:
            done.add(way[-1])
            del places[way.pop()]
            left.pop()
        elif other in places:
            _report_cycle(desk, needs, way[places[other] :])
        elif other not in done:
            places[other] = len(way)
            way.append(other)
            left.append(iter(needs[other]))


def _report_cycle(desk: Desk, needs: Needs, around: list[str]) -> None:
    shown = " -> ".join([*around, around[0]])
    if len(around) == 1:
        message = f"the step {around[0]!r} waits for itself: {shown}"
    else:
        message = f"these steps wait for each other: {shown}"
    path, offset = needs[around[-1]][around[0]]
    more = "remove one of these references"
    desk.report("cycle", message, path, offset=offset, suggestion=more)


def _check_unused(desk: Desk, needs: Needs) -> None:
    wanted = {other for others in needs.values() for other in others}
    wanted |= {read.names[1] for read in desk.reads if len(read.names) > 1 and not read.reader}
    for name, tool in desk.tools.items():
        looks_only = Effect(tool.effect).looks_only and tool.name not in _NOT_FOR_OUTPUT
        if name not in wanted and looks_only:
            message = f"nobody reads what the step {name!r} gives, and it does nothing else"
            _unused(desk, "unused-step", message, ("steps", name))
    reads = {read.names[:2] for read in desk.reads}
    for root, code, word in (
        ("input", "unused-input", "input"),
        ("vars", "unused-variable", "variable"),
    ):
        if reads & {(), (root,)}:
            continue  # somebody reads all of it
        for name in getattr(desk.chain, root):
            if (root, name) not in reads:
                _unused(desk, code, f"nobody reads the {word} {name!r}", (root, name))
    slots = {step.on for step in desk.chain.steps.values()}
    for slot in desk.chain.connections:
        if slot not in slots:
            message = f"no step uses the connection slot {slot!r}"
            _unused(desk, "unused-connection", message, ("connections", slot))


def _unused(desk: Desk, code: str, message: str, path: Way) -> None:
    desk.report(
        code, message, path, severity="warning", key=True, suggestion="remove it, or use it"
    )
