"""Check what the engine does itself: sub-chains, waits, approvals, lookups, undoing, turns.

Runs before the other checks, for it finds out what a sub-chain takes and gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from drawloom.chains.check_desk import CheckedTool, Desk
from drawloom.chains.check_steps import check_call
from drawloom.chains.compiling import compile_chain
from drawloom.chains.document import Step
from drawloom.chains.enriching import ENRICH, enrichment_of
from drawloom.chains.subchains import CHAIN, Family, child_spec
from drawloom.dataflow.durations import seconds
from drawloom.dataflow.references import Template
from drawloom.dataflow.validation import Validator
from drawloom.errors import ChainInvalid, ExpressionInvalid, ValueInvalid
from drawloom.policies import Effect

Way = tuple[str | int, ...]


def check_constructs(desk: Desk) -> None:
    """Every step that is no plain tool call, and what the chain says of its runs."""
    _check_chains(desk)
    _check_runs(desk)
    for name, step in desk.chain.steps.items():
        path: Way = ("steps", name)
        _check_fields(desk, step, path)
        if step.compensate is not None:
            _check_undo(desk, step, path)
        given = step.with_ if isinstance(step.with_, Mapping) else {}
        if step.use in _CHECKS:
            _CHECKS[step.use](desk, step, given, (*path, "with"))


# -- sub-chains ------------------------------------------------------------------


def _check_chains(desk: Desk) -> None:
    """The chains that this one starts are found, and are chains; their types are then known."""
    family = Family(desk.chain, desk.find_tool, desk.find_chain, None, (), compile_chain)
    for name, step in desk.chain.steps.items():
        if step.use == CHAIN and name in desk.tools:
            tool: Any = desk.tools[name]
            try:
                desk.tools[name] = child_spec(tool, family.of(name, step))
            except ChainInvalid as exc:
                _report_chain(desk, exc, ("steps", name, "with", "chain"))
    if desk.chain.on_failure is not None:
        try:
            family.on_failure()
        except ChainInvalid as exc:
            _report_chain(desk, exc, ("on_failure",))


def _report_chain(desk: Desk, exc: ChainInvalid, path: Way) -> None:
    where = ".".join(map(str, path)) + ": "
    message = str(exc).removeprefix(where)
    desk.report(exc.code or "wrong-chain", message, path)


# -- the chain's own fields ------------------------------------------------------


def _check_runs(desk: Desk) -> None:
    chain = desk.chain
    if chain.timeout == 0:
        message, more = "timeout: a run cannot end in no time", "give more than 0, or remove it"
        desk.report("out-of-range", message, ("timeout",), suggestion=more)
    if chain.concurrency is None or not chain.concurrency.key:
        return
    path = ("concurrency", "key")
    try:
        reads = Template(chain.concurrency.key).reads
    except (ExpressionInvalid, ValueInvalid) as exc:
        desk.report("bad-expression", str(exc), path, offset=getattr(exc, "position", 0) or 0)
        return
    for read in sorted(reads):
        if read[:1] != ("input",):
            message = f"concurrency.key reads {'.'.join(read) or 'everything'}"
            more = "read `input` only: the key is needed before a run begins"
            desk.report("unknown-name", message, path, suggestion=more)
        elif len(read) > 1 and read[1] not in chain.input:
            message = f"input has no field {read[1]!r}"
            desk.report("unknown-property", message, path, suggestion="declare it under `input`")


def _check_fields(desk: Desk, step: Step, path: Way) -> None:
    if step.batch is not None and step.for_each is None:
        message = "batch has no effect without for_each"
        more = "remove it, or give the step a for_each"
        where = (*path, "batch")
        desk.report("needless-field", message, where, key=True, suggestion=more)
    _check_stream(desk, step, path)
    mapped = step.for_each is not None or step.batch is not None or step.repeat is not None
    if step.use == ENRICH and mapped:
        message = "core.enrich goes over its rows by itself"
        more = "remove for_each, batch and repeat"
        desk.report("needless-field", message, path, key=True, suggestion=more)


def _check_stream(desk: Desk, step: Step, path: Way) -> None:
    """Items of a stream are not kept: nothing may want them later, or choose among them."""
    written = step.for_each if isinstance(step.for_each, str) else ""
    tool = desk.tools.get(written.removeprefix("${steps.").removesuffix("}"))
    if not written.startswith("${steps.") or not getattr(tool, "streams", False):
        return
    if step.compensate is not None:
        message = "the items of a stream are not kept, so they cannot be undone one by one"
        desk.report("stream-misused", message, (*path, "compensate"), key=True)
    if step.when is not None and ("item" in str(step.when) or "index" in str(step.when)):
        message = "`when` cannot look at the items of a stream"
        more = "let the tool choose them, or an expression in `with`"
        desk.report("stream-misused", message, (*path, "when"), suggestion=more)


def _check_undo(desk: Desk, step: Step, path: Way) -> None:
    undo = step.compensate
    assert undo is not None
    where = (*path, "compensate")
    tool = desk.tool(undo.use, (*where, "use"))
    if tool is None:
        return
    if getattr(tool, "construct", ""):
        message = f"{undo.use} cannot undo a step"
        desk.report("wrong-undo", message, (*where, "use"), suggestion="name a tool that acts")
        return
    desk.undoing[step.name] = tool
    check_call(desk, Step(step.name, undo.use, undo.on, undo.with_), tool, where)
    own = desk.tools.get(step.name)
    if own is not None and Effect(own.effect).looks_only:
        message = f"{own.name} changes nothing, so there is nothing to undo"
        more = "remove `compensate`"
        desk.report(
            "needless-field", message, where, severity="warning", key=True, suggestion=more
        )


# -- waits and approvals ---------------------------------------------------------


def _check_wait(desk: Desk, step: Step, given: Mapping[str, Any], path: Way) -> None:
    chosen = [name for name in ("duration", "until", "signal") if given.get(name) is not None]
    if len(chosen) != 1:
        message = "core.wait wants just one of duration, until and signal"
        said = f"it has {' and '.join(chosen)}" if chosen else "add one"
        desk.report("wrong-wait", message, path[:-1], key=True, suggestion=said)
    if "signal" not in chosen:
        for name in ("schema", "deadline", "on_deadline"):
            if name in given:
                message = f"{name} means nothing without a signal"
                desk.report("needless-field", message, (*path, name), severity="warning", key=True)
    _check_duration(desk, given, "duration", path)
    _check_duration(desk, given, "deadline", path)
    _check_instant(desk, given.get("until"), (*path, "until"))
    _check_schema(desk, given.get("schema"), (*path, "schema"))


def _check_approve(desk: Desk, step: Step, given: Mapping[str, Any], path: Way) -> None:
    approvers, needed = given.get("approvers"), given.get("needed", 1)
    if isinstance(approvers, list) and isinstance(needed, int) and not _referenced(approvers):
        people = len(set(approvers))
        if needed > people:
            message = f"{needed} have to approve, and only {people} are asked"
            more = "ask more people, or lower `needed`"
            desk.report("wrong-approval", message, (*path, "needed"), suggestion=more)
    form = given.get("form")
    for name, schema in form.items() if isinstance(form, Mapping) else ():
        _check_schema(desk, schema, (*path, "form", name))
    _check_duration(desk, given, "deadline", path)


def _check_duration(desk: Desk, given: Mapping[str, Any], name: str, path: Way) -> None:
    written = given.get(name)
    if written is None or (isinstance(written, str) and "${" in written):
        return
    try:
        seconds(written)
    except ValueError as exc:
        desk.report("wrong-literal", f"{name}: {exc}", (*path, name))


def _check_instant(desk: Desk, written: Any, path: Way) -> None:
    if not isinstance(written, str) or "${" in written:
        return
    try:
        if datetime.fromisoformat(written).tzinfo is not None:
            return
    except ValueError:
        pass
    message = f"{written!r} is no instant with a zone"
    desk.report("wrong-literal", message, path, suggestion="write it like 2026-05-01T09:00:00Z")


def _check_schema(desk: Desk, schema: Any, path: Way) -> None:
    if not isinstance(schema, Mapping | bool) or _referenced([schema]):
        return
    try:
        Validator(dict(schema) if isinstance(schema, Mapping) else schema)
    except ValueInvalid as exc:
        desk.report("wrong-literal", f"not a JSON Schema: {exc.reason}", path)


def _referenced(values: list[Any]) -> bool:
    return "${" in str(values)


# -- lookups ---------------------------------------------------------------------


def _check_enrich(desk: Desk, step: Step, given: Mapping[str, Any], path: Way) -> None:
    try:
        enrichment_of(given, "with")
    except ChainInvalid as exc:
        desk.report("wrong-lookup", str(exc), path)
    lookup = given.get("lookup")
    where = (*path, "lookup")
    if not isinstance(lookup, Mapping) or not isinstance(lookup.get("use"), str):
        if lookup is not None:
            message = "write the tool to ask: {use: …, on: …, with: …}"
            desk.report("wrong-lookup", message, where)
        return
    for name in lookup:
        if name not in ("use", "on", "with"):
            message = f"a lookup has no field {name!r}"
            more = "it has use, on and with"
            desk.report("unknown-field", message, (*where, name), key=True, suggestion=more)
    tool: CheckedTool | None = desk.tool(lookup["use"], (*where, "use"))
    if tool is None:
        return
    if getattr(tool, "construct", "") or not Effect(tool.effect).looks_only:
        message = f"{tool.name} does more than look ({tool.effect}): a lookup must not"
        desk.report("wrong-lookup", message, (*where, "use"))
    check_call(
        desk, Step(step.name, tool.name, lookup.get("on"), lookup.get("with", {})), tool, where
    )


_CHECKS: Final[Mapping[str, Callable[[Desk, Step, Mapping[str, Any], Way], None]]] = {
    "core.wait": _check_wait,
    "core.approve": _check_approve,
    ENRICH: _check_enrich,
}
