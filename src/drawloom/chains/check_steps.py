"""Check each step by itself: its tool, connection, literals and limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsonschema_rs

from drawloom.chains.check_desk import CheckedTool, Desk
from drawloom.chains.check_references import leaves
from drawloom.chains.check_resources import check_resources
from drawloom.chains.document import Step
from drawloom.chains.findings import MOST_FINDINGS, did_you_mean, pointer_of
from drawloom.dataflow.compatibility import Verdict
from drawloom.dataflow.conversion import converter_for
from drawloom.dataflow.navigation import at
from drawloom.dataflow.validation import Validator, excerpt
from drawloom.errors import ValueInvalid
from drawloom.policies import Effect

Way = tuple[str | int, ...]


def check_steps(desk: Desk) -> None:
    """Every step by itself."""
    if not desk.chain.steps:
        message = "the chain has no steps, so it does nothing"
        desk.report("no-steps", message, ("steps",), severity="warning", suggestion="add one")
    for name, step in desk.chain.steps.items():
        path = ("steps", name)
        _check_limits(desk, step, path)
        if tool := desk.tools.get(name):
            check_call(desk, step, tool, path)
            _check_retry(desk, step, tool, path)
            _check_cache(desk, step, tool, path)
            check_resources(desk, step, tool)


def check_call(desk: Desk, step: Step, tool: CheckedTool, path: Way) -> None:
    """One use of a tool, by its `on` and by what is written out in its `with`."""
    _check_connection(desk, step, tool, path)
    _check_literals(desk, step, tool, path)


def _check_cache(desk: Desk, step: Step, tool: CheckedTool, path: Way) -> None:
    if step.cache is None:
        return
    construct = getattr(tool, "construct", "") not in ("", "enrich")
    message = ""
    if construct or getattr(tool, "streams", False):
        message = f"{tool.name} gives no answer of its own that could be kept"
    elif getattr(tool, "stream_inputs", None):
        message = f"{tool.name} takes a stream: what comes of it is not known before it is read"
    elif not Effect(tool.effect).looks_only:
        message = f"{tool.name} does more than look: a kept answer would leave that out"
    if message:
        place = (*path, "cache")
        desk.report("cache-of-effect", message, place, key=True, suggestion="remove `cache`")
    if step.cache.ttl == 0:
        message, more = "cache: an answer of no time is never used", "give more than 0"
        desk.report("out-of-range", message, (*path, "cache"), suggestion=more)


def _check_connection(desk: Desk, step: Step, tool: CheckedTool, path: Way) -> None:
    slots = desk.chain.connections
    if step.on is None:
        if tool.connection is not None:
            fitting = [slot for slot, kind in slots.items() if kind == tool.connection]
            more = f"add `on: {fitting[0]}`" if fitting else (
                f"add a slot to `connections`, such as {tool.connection}: {tool.connection}, "
                "and name it in `on`"
            )  # fmt: skip
            message = f"{tool.name} needs a connection of kind {tool.connection}"
            desk.report("missing-on", message, path, key=True, suggestion=more)
    elif tool.connection is None:
        message = f"{tool.name} needs no connection"
        desk.report(
            "needless-on", message, (*path, "on"), severity="warning", suggestion="remove `on`"
        )
    elif step.on not in slots:
        more = (
            did_you_mean(step.on, slots) or f"add `{step.on}: {tool.connection}` to `connections`"
        )
        message = f"the chain has no connection slot {step.on!r}"
        desk.report("unknown-slot", message, (*path, "on"), suggestion=more)
    elif slots[step.on] != tool.connection:
        message = (
            f"{tool.name} needs a connection of kind {tool.connection}; "
            f"the slot {step.on!r} is of kind {slots[step.on]}"
        )
        fitting = [slot for slot, kind in slots.items() if kind == tool.connection]
        more = f"use {fitting[0]!r}" if fitting else f"add a slot of kind {tool.connection}"
        desk.report("wrong-slot-kind", message, (*path, "on"), suggestion=more)


def _check_limits(desk: Desk, step: Step, path: Way) -> None:
    if step.timeout == 0:
        message, more = "timeout: a call cannot end in no time", "give more than 0, or remove it"
        desk.report("out-of-range", message, (*path, "timeout"), suggestion=more)
    if step.concurrency is not None and step.for_each is None:
        message = "concurrency has no effect without for_each"
        more = "remove it, or give the step a for_each"
        where = (*path, "concurrency")
        desk.report(
            "needless-field", message, where, severity="warning", key=True, suggestion=more
        )
    retry = step.retry
    if retry is not None and retry.delay > retry.max_delay:
        message = f"delay ({retry.delay:g} s) is longer than max_delay ({retry.max_delay:g} s)"
        where = (*path, "retry", "delay")
        desk.report("out-of-range", message, where, suggestion="make max_delay longer")
    if retry is not None and retry.budget is not None and retry.budget < retry.delay:
        message = (
            f"budget ({retry.budget:g} s) is shorter than the first delay, so nothing is retried"
        )
        where = (*path, "retry", "budget")
        desk.report("out-of-range", message, where, suggestion="make budget longer")


def _check_retry(desk: Desk, step: Step, tool: CheckedTool, path: Way) -> None:
    if step.retry is not None and step.retry.attempts > 1 and tool.effect is Effect.ONCE:
        desk.report(
            "retry-once",
            f"{tool.name} has the effect `once`: it is tried again only where the failure "
            "proves that nothing happened",
            (*path, "retry"),
            severity="warning",
            key=True,
            suggestion="look for a tool that is idempotent or keyed, or leave it so",
        )


def _check_literals(desk: Desk, step: Step, tool: CheckedTool, path: Way) -> None:
    """What is written out in `with`, by the tool's schema. References are judged elsewhere."""
    if not isinstance(step.with_, Mapping):
        return
    holes = [inner for inner, _ in leaves(step.with_)]
    schema = dict(tool.input_schema)
    given = _converted(schema, dict(step.with_))
    # A run's validator judges (it knows our encodings); the other tells what kind of error it is.
    wrong = {pointer for pointer, _ in Validator(schema).errors(given, at_most=MOST_FINDINGS)}
    if wrong:
        for error in _engine(schema).iter_errors(given):
            if pointer_of(error.instance_path) in wrong:
                _report_literal(desk, error, holes, tool, path)
    _check_texts(desk, step.with_, schema, path)


def _engine(schema: dict[str, Any]) -> Any:
    return jsonschema_rs.validator_for(
        schema,
        validate_formats=True,
        pattern_options=jsonschema_rs.RegexOptions(),
        offline=True,
    )


def _converted(schema: dict[str, Any], value: Any) -> Any:
    try:
        return converter_for(schema)(value)
    except ValueInvalid:
        return value  # as it stands it does not fit either, and validation says where


def _report_literal(
    desk: Desk, error: Any, holes: list[Way], tool: CheckedTool, path: Way
) -> None:
    inner: Way = tuple(error.instance_path)
    kind = type(error.kind).__name__
    properties = at(dict(tool.input_schema), inner).schema or {}
    known = properties.get("properties", {}) if isinstance(properties, Mapping) else {}
    where = (*path, "with", *inner)
    if kind == "AdditionalProperties":
        for name in error.kind.unexpected:
            more = did_you_mean(name, known) or f"it has {', '.join(known)}"
            message = f"{'.'.join(map(str, (tool.name, *inner)))} has no input {name!r}"
            desk.report("unknown-input", message, (*where, name), key=True, suggestion=more)
    elif kind == "Required":
        name = error.kind.property
        message = f"{tool.name} needs {'.'.join(map(str, (*inner, name)))!r}"
        key = not inner and "with" not in _written(desk, path)
        at_path = path if key else where
        more = f"add `{name}: …` to `with`" if not inner else f"add `{name}: …`"
        desk.report("missing-input", message, at_path, key=key or not inner, suggestion=more)
    elif not any(hole[: len(inner)] == inner and _judged(kind, hole, inner) for hole in holes):
        name = ".".join(map(str, inner)) or "with"
        message = f"{tool.name}: {name} does not fit: {_plain(error)}"
        desk.report("wrong-literal", message, where, witness=excerpt(error.instance, 120))


def _written(desk: Desk, path: Way) -> Any:
    """What the document has at *path*."""
    found: Any = desk.chain.document
    for part in path:
        found = found.get(part, {}) if isinstance(found, Mapping) else {}
    return found


def _judged(kind: str, hole: Way, inner: Way) -> bool:
    """Whether the value of a reference could make this error go away."""
    return not (kind == "Type" and len(hole) > len(inner))


def _plain(error: Any) -> str:
    text = str(error.message)
    return text if len(text) <= 200 else text[:200] + "[…]"


def _check_texts(desk: Desk, value: Any, schema: dict[str, Any], path: Way) -> None:
    """Text with a reference inside is text, whatever the reference gives."""
    for inner, text in leaves(value):
        if not isinstance(text, str) or (text.startswith("${") and text.endswith("}")):
            continue
        place = at(schema, inner)
        if not place.found or place.schema is None:
            continue
        fit = desk.compat.fits({"type": "string"}, place.schema)
        if fit.verdict is Verdict.NO and fit.never:
            message = f"{'.'.join(map(str, inner))} wants no text, and this is text"
            more = "write one ${…} and nothing round it"
            desk.report("wrong-literal", message, (*path, "with", *inner), suggestion=more)
