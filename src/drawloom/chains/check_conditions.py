"""Find conditions that cannot be true: constants, contradictions, values that never come.

Only what is certain is said: comparisons of plain paths with literals, joined by
`and`. Each becomes a schema; the producer's schema and these together must
leave some value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from drawloom.chains.check_desk import Desk
from drawloom.chains.check_references import condition_of
from drawloom.chains.check_scope import View, names_a_step, place_of
from drawloom.chains.findings import nearest
from drawloom.dataflow.compatibility import Verdict, disjoint
from drawloom.dataflow.expressions import Budget
from drawloom.dataflow.references import Reference, plain_path
from drawloom.errors import ExpressionInvalid

Way = tuple[str | int, ...]

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<number>-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)
    | (?P<operator>!=|<=|>=|=|<|>)
    | (?P<path>[A-Za-z_]\w*(?:\.\w+|\[\s*\d+\s*\])*)
    )\s*""",
    re.VERBOSE,
)
_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "!=": "!="}
_BOUNDS = {
    "<": "exclusiveMaximum", "<=": "maximum", ">": "exclusiveMinimum", ">=": "minimum",
}  # fmt: skip
_VOLATILE = re.compile(r"\$(now|millis|random|shuffle)\b")
_AND = re.compile(r"and\b")
_LITTLE = Budget(steps=2_000, seconds=0.005)
_WORDS = {"true": True, "false": False, "null": None}


def check_conditions(desk: Desk) -> None:
    """The `when` of every step."""
    for name, step in desk.chain.steps.items():
        condition = None if step.when is None else condition_of(step.when)
        if condition is not None:
            view = View(name, items=step.for_each is not None)
            _check(desk, condition.reference, ("steps", name, "when"), view)


def _check(desk: Desk, reference: Reference, path: Way, view: View) -> None:
    if not reference.reads:
        _check_constant(desk, reference, path)
        return
    if reference.path is not None:
        _check_boolean(desk, reference, reference.path, path, view)
        return
    atoms = list(comparisons(reference.source))
    for subject in dict.fromkeys(atom[0] for atom in atoms):
        said = [(schema, literal) for other, schema, literal, _ in atoms if other == subject]
        offset = next(atom[3] for atom in atoms if atom[0] == subject)
        _check_subject(desk, subject, said, (path, reference.offset + offset), view)


def _check_constant(desk: Desk, reference: Reference, path: Way) -> None:
    if reference.expression is None or _VOLATILE.search(reference.source):
        return
    try:
        value = reference.expression.evaluate({}, _LITTLE)
    except ExpressionInvalid:
        return
    if value is False:
        message = f"`{reference.source.strip()}` is always false, so the step never runs"
        more = "remove the step, or its `when`"
        desk.report("never-true", message, path, offset=reference.offset, suggestion=more)
    elif value is not True:
        _not_a_condition(desk, reference, path)


def _check_boolean(desk: Desk, reference: Reference, parts: Way, path: Way, view: View) -> None:
    place = _place(desk, parts, view)
    if place is None:
        return
    fit = desk.compat.fits(place, {"type": "boolean"})
    if fit.verdict is Verdict.NO:
        _not_a_condition(desk, reference, path, json.dumps(fit.witness))


def _not_a_condition(desk: Desk, reference: Reference, path: Way, witness: str = "") -> None:
    shown = reference.source.strip()
    message = f"`{shown}` does not give true or false"
    more = f"compare it, or ask $exists({shown})"
    desk.report(
        "not-a-condition", message, path, offset=reference.offset, suggestion=more, witness=witness
    )


def _place(desk: Desk, parts: Way, view: View) -> Any:
    """The schema of a path, where it is known and no list is crossed."""
    if not names_a_step(desk, parts) or (parts[0] in ("item", "index") and not view.items):
        return None
    place, _ = place_of(desk, parts, view)
    return place.schema if place.found and not place.mapped else None


def _check_subject(
    desk: Desk, subject: str, said: list[tuple[Any, Any]], at: tuple[Way, int], view: View
) -> None:
    parts = plain_path(subject)
    known = _place(desk, parts, view) if parts else None
    path, offset = at
    wishes = [schema for schema, _ in said]
    if disjoint({}, *wishes):
        message = f"no {subject} satisfies all that is asked of it, so the step never runs"
        more = "use `or`, or mend a comparison"
        desk.report("never-true", message, path, offset=offset, suggestion=more)
    elif known is not None and disjoint(known, *wishes):
        literal = next((lit for schema, lit in said if disjoint(known, schema)), said[0][1])
        message = f"{subject} is never so, by the schema of what gives it: the step never runs"
        desk.report(
            "never-true", message, path, offset=offset,
            suggestion=_better(known, literal), witness=json.dumps(literal),
        )  # fmt: skip


def _better(known: Any, literal: Any) -> str:
    values = known.get("enum", [known["const"]] if "const" in known else [])
    near = nearest(literal, [v for v in values if isinstance(v, str)]) if isinstance(
        literal, str) else None  # fmt: skip
    if near:
        return f"did you mean {near!r}?"
    if values:
        return f"it is one of {', '.join(map(json.dumps, values[:8]))}"
    kind = known.get("type")
    return f"it is of type {kind if isinstance(kind, str) else ' or '.join(kind or [])}".rstrip()


def comparisons(source: str) -> Iterator[tuple[str, Any, Any, int]]:
    """(path, schema that it must satisfy, the literal, offset) of each comparison in an `and`.

    Nothing where the expression is anything else.
    """
    found: list[tuple[str, Any, Any, int]] = []
    position = 0
    while True:
        tokens: list[re.Match[str]] = []
        for _ in range(3):
            token = _TOKEN.match(source, position)
            if token is None:
                return
            tokens.append(token)
            position = token.end()
        atom = _atom(*tokens)
        if atom is None:
            return
        found.append(atom)
        if position == len(source):
            yield from found
            return
        joint = _AND.match(source, position)
        if joint is None:
            return
        position = joint.end()


def _atom(
    left: re.Match[str], middle: re.Match[str], right: re.Match[str]
) -> tuple[str, Any, Any, int] | None:
    operator = middle["operator"]
    if operator is None:
        return None
    if left["path"] is None or left["path"] in _WORDS:
        left, right, operator = right, left, _MIRRORED[operator]
    subject = left["path"]
    literal = _literal(right)
    if subject is None or subject in _WORDS or literal is _NO_LITERAL:
        return None
    schema = _wish(operator, literal)
    return None if schema is None else (subject, schema, literal, left.start("path"))


_NO_LITERAL = object()


def _literal(token: re.Match[str]) -> Any:
    if token["text"] is not None:
        inside = token["text"][1:-1]
        return _NO_LITERAL if "\\" in inside else inside
    if token["number"] is not None:
        return json.loads(token["number"])
    return _WORDS.get(token["path"], _NO_LITERAL)


def _wish(operator: str, literal: Any) -> Any:
    if operator == "=":
        return {"const": literal}
    if operator == "!=":
        return {"not": {"const": literal}}
    if isinstance(literal, bool) or not isinstance(literal, int | float):
        # JSONata compares text with text; anything else is an error.
        return {"type": "string"} if isinstance(literal, str) else None
    return {"type": "number", _BOUNDS[operator]: literal}
