"""What the names of an expression stand for, as schemas: input, steps, item, run and the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drawloom.chains.check_desk import Desk
from drawloom.chains.document import Step
from drawloom.dataflow.navigation import Place, at
from drawloom.dataflow.references import ROOTS, plain_path
from drawloom.errors import FailureKind

ITEM_ROOTS = ("item", "index")

RUN: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "chain": {"type": "string"},
        "version": {"type": "string"},
        "started_at": {"type": "integer"},
    },
    "required": ["id", "chain", "version", "started_at"],
    "additionalProperties": False,
}
FAILURE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "kind": {"enum": [kind.value for kind in FailureKind]},
        "message": {"type": "string"},
        "details": {"type": "object"},
    },
    "required": ["kind", "message"],
    "additionalProperties": False,
}
ITEM_FAILURES: dict[str, Any] = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {**FAILURE["properties"], "index": {"type": "integer", "minimum": 0}},
        "required": ["index", "kind", "message"],
        "additionalProperties": False,
    },
}


@dataclass(frozen=True, slots=True)
class View:
    """Who looks: a step, or the chain's output (""); `items` where `item` and `index` exist."""

    step: str = ""
    items: bool = False
    undo: bool = False  # of what undoes the step: `output` exists there


def schema_of(desk: Desk, path: tuple[str | int, ...], view: View) -> tuple[Any, int]:
    """The schema of the root that *path* begins in, and how many of its parts lead there.

    The schema is None where nothing is known of it. *path* is known to begin
    well: its root exists, and so does the step that it names.
    """
    root = path[0]
    if root == "steps":
        return _step_output(desk, str(path[1]), whole=path[1] != view.step), 2
    if root == "output":
        return _step_output(desk, view.step, whole=False), 1
    if root == "failures":
        step = desk.chain.steps[str(path[1])]
        by_item = step.for_each is not None and step.on_error == "continue"
        return {"anyOf": [FAILURE, ITEM_FAILURES]} if by_item else FAILURE, 2
    if root == "input":
        return desk.input_schema, 1
    if root == "vars":
        return _variables(desk, path), 1
    if root == "run":
        return RUN, 1
    if root == "index":
        return {"type": "integer", "minimum": 0}, 1
    return item_schema(desk, view.step), 1


def place_of(desk: Desk, path: tuple[str | int, ...], view: View) -> tuple[Place, int]:
    """What is known of *path*, and how many of its parts lead to the root that it begins in."""
    schema, depth = schema_of(desk, path, view)
    if schema is None:
        return Place(None, depth=len(path) - depth), depth
    return at(schema, path[depth:]), depth


def item_schema(desk: Desk, name: str) -> Any:
    """What one item of the step's `for_each` is; None if that is not known."""
    step = desk.chain.steps.get(name)
    if step is None or step.for_each is None:
        return None
    if isinstance(step.for_each, list):
        shown = any("${" in text for text in _texts(step.for_each))
        return None if shown else {"anyOf": [inferred(item) for item in step.for_each] or [True]}
    written = step.for_each if isinstance(step.for_each, str) else ""
    path = plain_path(written[2:-1]) if written.startswith("${") else None
    if path is None or path[0] in ITEM_ROOTS or not names_a_step(desk, path):
        return None
    tool: Any = desk.tools.get(str(path[1])) if path[0] == "steps" else None
    if getattr(tool, "streams", False):
        item = desk.item_schema(str(path[1]))
        return item if step.batch is None else list_of(item, step.batch)
    place, _ = place_of(desk, path, View(name))
    if place.schema is None or place.mapped:
        return None
    inner = at(place.schema, (0,))
    if not inner.found or step.batch is None or inner.schema is None:
        return inner.schema if inner.found else None
    return list_of(inner.schema, step.batch)


def list_of(schema: Any, most: int | None = None) -> dict[str, Any]:
    """The schema of a list of such items; of a batch of at most so many."""
    made: dict[str, Any] = {"type": "array"}
    if most is not None:
        made |= {"minItems": 1, "maxItems": most}
    if not isinstance(schema, Mapping) or "$defs" not in schema:
        return {**made, "items": schema}
    inner = {k: v for k, v in schema.items() if k != "$defs"}
    return {**made, "items": inner, "$defs": schema["$defs"]}


def names_a_step(desk: Desk, path: tuple[str | int, ...]) -> bool:
    """Whether *path*, if it begins in `steps` or `failures`, goes on with a step of the chain."""
    if path[0] not in ("steps", "failures"):
        return path[0] in ROOTS
    return len(path) > 1 and path[1] in desk.chain.steps


def _step_output(desk: Desk, name: str, *, whole: bool) -> Any:
    """What a step gives; of a `for_each` all of it (*whole*), or what one item gave."""
    tool = desk.tools.get(name)
    if tool is None:
        return None
    schema = _literal_output(desk.chain.steps[name]) or desk.output_schema(name)
    if desk.chain.steps[name].for_each is None or not whole:
        return schema
    inner = {k: v for k, v in schema.items() if k != "$defs"}
    made: dict[str, Any] = {"type": "array", "items": inner}
    return {**made, "$defs": schema["$defs"]} if "$defs" in schema else made


def _literal_output(step: Step) -> dict[str, Any] | None:
    """The schema that a code step writes out for what its code gives."""
    written = step.with_.get("output") if isinstance(step.with_, Mapping) else None
    if step.use != "core.python" or not isinstance(written, Mapping):
        return None
    return None if any("${" in text for text in _texts(written)) else dict(written)


def _variables(desk: Desk, path: tuple[str | int, ...]) -> Any:
    """The schema of `vars`, in which only the variable that is read is worked out."""
    schemas: dict[str, Any] = {name: {} for name in desk.chain.vars}
    if len(path) > 1 and path[1] in schemas:
        schemas[str(path[1])] = inferred(desk.chain.vars[str(path[1])])
    return {
        "type": "object",
        "properties": schemas,
        "required": list(schemas),
        "additionalProperties": False,
    }


def inferred(value: Any) -> Any:
    """The schema of exactly the shape of *value*."""
    if isinstance(value, Mapping):
        return {
            "type": "object",
            "properties": {name: inferred(inner) for name, inner in value.items()},
            "required": list(value),
            "additionalProperties": False,
        }
    if isinstance(value, list):
        made = {"type": "array", "items": False, "minItems": len(value), "maxItems": len(value)}
        return {**made, "prefixItems": [inferred(inner) for inner in value]} if value else made
    return {"const": value}


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = (
        value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    )
    return [text for each in inner for text in _texts(each)]
