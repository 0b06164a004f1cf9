"""Check what the expressions of a chain read, and whether plain references fit their targets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from drawloom.chains.check_desk import Desk, Read
from drawloom.chains.check_scope import ITEM_ROOTS, View, list_of, names_a_step, place_of
from drawloom.chains.enriching import ENRICH
from drawloom.chains.findings import did_you_mean
from drawloom.dataflow.compatibility import Fit, Verdict
from drawloom.dataflow.navigation import Place, at
from drawloom.dataflow.references import ROOTS, Condition, Reference, Template
from drawloom.dataflow.validation import excerpt
from drawloom.errors import ExpressionInvalid, ValueInvalid

Way = tuple[str | int, ...]

_SHORT = 120
_NAMES = ROOTS - {"output"}
_TEXTABLE = {"type": ["string", "number", "boolean", "object", "array"]}


def check_references(desk: Desk) -> None:
    """Every `${…}` of the chain: of each step's fields, and of the output."""
    for name, step in desk.chain.steps.items():
        each = View(name, items=step.for_each is not None or step.use == ENRICH)
        tool = desk.tools.get(name)
        target = dict(tool.input_schema) if tool else None
        check_template(desk, step.with_, ("steps", name, "with"), each, target)
        if step.for_each is not None:
            path = ("steps", name, "for_each")
            check_template(desk, step.for_each, path, View(name), {"type": "array"})
        if step.when is not None:
            _check_condition(desk, step.when, ("steps", name, "when"), each)
        if step.repeat is not None:
            _check_condition(desk, step.repeat.until, ("steps", name, "repeat", "until"), each)
        if step.compensate is not None:
            undo = View(name, items=each.items, undo=True)
            known = desk.undoing.get(name)
            wanted = dict(known.input_schema) if known else None
            place: Way = ("steps", name, "compensate", "with")
            check_template(desk, step.compensate.with_, place, undo, wanted)
    if desk.chain.output is not None:
        check_template(desk, desk.chain.output, ("output",), View(), None)


def check_template(desk: Desk, value: Any, path: Way, view: View, target: Any) -> None:
    """The references of one templated value; *target* is the schema that it must fit, if known."""
    for inner, text in leaves(value):
        try:
            found = Template(text).references
        except (ExpressionInvalid, ValueInvalid) as exc:
            _bad_expression(desk, exc, (*path, *inner, *_jsonpath(text)))
            continue
        for reference in found:
            at_path = (*path, *inner, *_jsonpath(text))
            good = check_reads(desk, reference, at_path, view)
            if good and reference.path is not None:
                wanted = at(target, inner) if target is not None else Place(None)
                _check_fit(desk, reference, reference.path, at_path, view, wanted)


def leaves(value: Any, path: Way = ()) -> Iterator[tuple[Way, Any]]:
    """The parts of a templated value that hold references, and where."""
    if isinstance(value, str):
        if "${" in value:
            yield path, value
    elif isinstance(value, Mapping):
        if value.keys() == {"$jsonpath"}:
            yield path, value
            return
        for name, inner in value.items():
            yield from leaves(inner, (*path, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))


def _jsonpath(text: Any) -> Way:
    return () if isinstance(text, str) else ("$jsonpath",)


def condition_of(written: str | bool) -> Condition | None:
    """The compiled condition, or None where it cannot be read."""
    try:
        return Condition(written)
    except (ExpressionInvalid, ValueInvalid):
        return None


def _check_condition(desk: Desk, written: str | bool, path: Way, view: View) -> None:
    try:
        reference = Condition(written).reference
    except (ExpressionInvalid, ValueInvalid) as exc:
        _bad_expression(desk, exc, path)
        return
    check_reads(desk, reference, path, view)


def _bad_expression(desk: Desk, exc: Exception, path: Way) -> None:
    position = getattr(exc, "position", None)
    desk.report("bad-expression", str(exc), path, offset=position or 0)


def check_reads(desk: Desk, reference: Reference, path: Way, view: View) -> bool:
    """Whether all that *reference* reads is there; notes what it reads."""
    good = True
    if reference.expression is not None:
        good = _check_variables(desk, reference, path)
    for read in reference.reads:
        if not _reads_itself(desk, read, view):
            # What undoes a step runs when all else is over: it waits for nothing.
            reader = "" if view.undo else view.step
            desk.reads.append(Read(reader, read, path, _offset(reference, read, 0)))
        elif path[2:3] == ("with",) and reference.path is not None:
            desk.report(
                "maybe-missing",
                f"the first pass has no steps.{view.step} to read yet",
                path,
                offset=_offset(reference, read, 0),
                suggestion=f"say what it begins with: ${{{reference.source.strip()} ?? …}}",
            )
        good = _check_read(desk, reference, read, path, view) and good
    return good


def _reads_itself(desk: Desk, read: tuple[str, ...], view: View) -> bool:
    """Whether a repeated step reads what its own last pass gave."""
    step = desk.chain.steps.get(view.step)
    return step is not None and step.repeat is not None and read[:2] == ("steps", view.step)


def _check_variables(desk: Desk, reference: Reference, path: Way) -> bool:
    assert reference.expression is not None
    unknown = sorted(reference.expression.bindings)
    for name in unknown:
        offset = _offset(reference, (f"${name}",), 0)
        message = f"nobody defines ${name}"
        desk.report("unknown-variable", message, path, offset=offset)
    return not unknown


def _check_read(
    desk: Desk, reference: Reference, read: tuple[str, ...], path: Way, view: View
) -> bool:
    def wrong(code: str, message: str, depth: int, suggestion: str) -> bool:
        offset = _offset(reference, read, depth)
        desk.report(code, message, path, offset=offset, suggestion=suggestion)
        return False

    if not read or (read[0] in ("steps", "failures") and len(read) < 2):
        what = read[0] if read else "the whole scope"
        more = "name the step that it needs, as in steps.NAME"
        return wrong("reads-everything", f"this reads {what}", 0, more)
    if read[0] not in ROOTS or (read[0] == "output" and not view.undo):
        return wrong("unknown-name", f"{read[0]!r} is not a name here", 0, _root(desk, read[0]))
    if read[0] in ITEM_ROOTS and not view.items:
        message = f"{read[0]!r} exists only inside a step with for_each"
        return wrong("outside-for-each", message, 0, "give the step a for_each")
    if not names_a_step(desk, read):
        more = did_you_mean(read[1], desk.chain.steps)
        return wrong("unknown-step", f"there is no step {read[1]!r}", 1, more)
    if _is_stream(desk, read) and read[0] == "steps" and not _may_stream(desk, reference, path):
        message = f"steps.{read[1]} is a stream, which only for_each and tools for it can read"
        more = f"write for_each: ${{steps.{read[1]}}}, or use a tool that gives a list"
        return wrong("stream-misused", message, 1, more)
    # A plain path knows its indices too; an expression only the names that it reads.
    place, depth = place_of(desk, reference.path or read, view)
    if place.found:
        return True
    return _missing(desk, reference, reference.path or read, path, (place, depth))


def _is_stream(desk: Desk, parts: Way) -> bool:
    """Whether a path begins in the output of a step that gives a stream."""
    tool = desk.tools.get(str(parts[1])) if len(parts) > 1 and parts[0] == "steps" else None
    return getattr(tool, "streams", False)


def _may_stream(desk: Desk, reference: Reference, path: Way) -> bool:
    whole = reference.whole and reference.path is not None and len(reference.path) == 2
    return whole and (path[-1:] == ("for_each",) or _takes_stream(desk, path))


def _takes_stream(desk: Desk, path: Way) -> bool:
    """Whether *path* is a parameter that takes a stream."""
    match path:
        case ("steps", str(step), "with", str(name)):
            return name in getattr(desk.tools.get(step), "stream_inputs", ())
    return False


def _root(desk: Desk, name: str) -> str:
    if name in desk.chain.steps:
        return f"did you mean 'steps.{name}'?"
    for root in ("input", "vars"):
        if name in getattr(desk.chain, root):
            return f"did you mean '{root}.{name}'?"
    return did_you_mean(name, _NAMES) or f"names are {', '.join(sorted(_NAMES))}"


def _missing(
    desk: Desk, reference: Reference, read: Way, path: Way, found: tuple[Place, int]
) -> bool:
    place, root_depth = found
    depth = root_depth + place.depth
    owner = ".".join(map(str, read[:depth]))
    part = read[depth]
    code = "unknown-output-field" if read[0] == "steps" else "unknown-property"
    if isinstance(part, int):
        message = f"{owner} has no item {part}: it is {_kinds(place)}"
    elif place.known:
        message = f"{owner} has no field {part!r}"
    else:
        message = f"{owner} has no field {part!r}: it is {_kinds(place)}"
    more = did_you_mean(str(part), place.known)
    if not more and place.known:
        more = f"it has {', '.join(place.known[:12])}"
    if not more and read[0] == "input":
        more = f"declare {part!r} under `input`"
    desk.report(code, message, path, offset=_offset(reference, read, depth), suggestion=more)
    return False


def _kinds(place: Place) -> str:
    return " or ".join(place.kinds) or "empty"


def _check_fit(
    desk: Desk, reference: Reference, parts: Way, path: Way, view: View, wanted: Place
) -> None:
    place, _ = place_of(desk, parts, view)
    offset = reference.offset
    shown = reference.source.strip()
    if not place.certain and not place.mapped:
        desk.report(
            "maybe-missing",
            f"{shown} may be missing, and the step would fail",
            path,
            severity="warning",
            offset=offset,
            suggestion=f"give a default: ${{{shown} ?? …}}",
        )
    if _is_stream(desk, parts):
        place = _of_items(desk, parts, path)
    if place.schema is None or place.mapped:
        return
    if not reference.whole:
        _check_inside_text(desk, shown, place.schema, path, offset)
    elif wanted.found and wanted.schema is not None:
        fit = desk.compat.fits(place.schema, wanted.schema)
        code = "not-a-list" if path[-1] == "for_each" else "does-not-fit"
        if fit.verdict is Verdict.NO:
            text = desk.compat.fits({"type": "string"}, wanted.schema).verdict is not Verdict.NO
            _report_misfit(desk, code, shown, fit, (path, offset), wants_text=text)


def _of_items(desk: Desk, parts: Way, path: Way) -> Place:
    """What a tool that takes a stream gets: as much as a list of its items tells."""
    item = desk.item_schema(str(parts[1])) if _takes_stream(desk, path) else None
    return Place(None if item is None else list_of(item))


def _check_inside_text(desk: Desk, shown: str, schema: Any, path: Way, offset: int) -> None:
    fit = desk.compat.fits(schema, _TEXTABLE)
    if fit.verdict is Verdict.NO and fit.witness is None:
        desk.report(
            "does-not-fit", f"{shown} may be null, which cannot stand inside text", path,
            offset=offset, suggestion=f"give a default: ${{{shown} ?? ''}}", witness="null",
        )  # fmt: skip


def _report_misfit(
    desk: Desk, code: str, shown: str, fit: Fit, where: tuple[Way, int], *, wants_text: bool
) -> None:
    path, offset = where
    target = path[-1] if isinstance(path[-1], str) else ".".join(map(str, path[-2:]))
    witness = excerpt(fit.witness, _SHORT)
    word = "never fits" if fit.never else "does not always fit"
    more = f"{witness} would break it"
    if fit.witness is None:
        more += f"; give a default: ${{{shown} ?? …}}"
    elif wants_text and fit.never and isinstance(fit.witness, bool | int | float):
        more += f"; to write it as text, put it inside text or use ${{$string({shown})}}"
    desk.report(
        code,
        f"{shown} {word} {target}",
        path,
        severity="warning" if fit.of_kind and not fit.never else "error",
        offset=offset,
        suggestion=more,
        witness=witness,
    )


def _offset(reference: Reference, read: Way, depth: int) -> int:
    """Where in the text the part *depth* of *read* stands, as near as can be said."""
    at_char = 0
    for part in read[: depth + 1]:
        word = re.escape(str(part))
        found = re.compile(rf"(?<![\w]){word}(?![\w])").search(reference.source, at_char)
        if found is None:
            break
        at_char = found.start()
    return reference.offset + at_char
