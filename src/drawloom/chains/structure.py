"""Judge a document's structure by its published schema, and say what is wrong in plain words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Any

import jsonschema_rs

from drawloom.chains.findings import (
    MOST_FINDINGS,
    Finding,
    did_you_mean,
    enough,
    escape,
    nearest,
    pointer_of,
)
from drawloom.chains.schema import CHAIN_NAME, NAME, SEMVER, SLOT, WHOLE_REFERENCE, chain_schema
from drawloom.chains.source import Source
from drawloom.chains.tests_schema import SKIPPED, STEP_STATUS, STEP_STATUSES
from drawloom.dataflow.durations import DURATION_PATTERN

_PATTERNS = {
    DURATION_PATTERN: ("a duration", "write it like 30s, 5m, 1h30m or 250ms"),
    NAME: ("a name", "use letters, digits and _, and begin with a letter or _"),
    SLOT: ("a name", "use letters, digits, - and _, and begin with a letter or _"),
    CHAIN_NAME: ("a chain name", "use small letters, digits and -"),
    SEMVER: ("a version", 'write it as MAJOR.MINOR.PATCH, such as "1.2.0"'),
    WHOLE_REFERENCE: ("a reference", "write the whole text as one ${…}"),
    STEP_STATUS: ("a status of a step", f"write one of {', '.join(STEP_STATUSES)}"),
    SKIPPED: ("the end of a step", "write `skipped`, or `{output: …}`, or `{fail: {kind: …}}`"),
}
_ARTICLES = {
    "object": "a mapping", "array": "a list", "string": "text", "integer": "a whole number",
    "number": "a number", "boolean": "true or false", "null": "null",
}  # fmt: skip


def structural_findings(
    document: Any, source: Source | None, *, keep_unknown: bool = False
) -> tuple[Finding, ...]:
    """What the published schema refuses of *document*, each in its place."""
    every = (
        finding
        for error in _validator().iter_errors(document)
        for finding in _findings(error, document, source)
        if not (keep_unknown and finding.code == "unknown-field")
    )
    found = list(islice(every, MOST_FINDINGS))
    found.sort(key=lambda f: (f.line or 0, f.column or 0, f.pointer))
    return (*found, enough(found[-1])) if len(found) == MOST_FINDINGS else tuple(found)


@cache
def _validator() -> Any:
    return jsonschema_rs.validator_for(_law())


@cache
def _law() -> dict[str, Any]:
    return chain_schema()


def locate(source: Source | None, pointer: str, *, key: bool = False) -> dict[str, Any]:
    """The fields of a `Finding` that say where *pointer* stands."""
    if source is None:
        return {"pointer": pointer}
    line, column = source.place(pointer, key=key)
    return {
        "pointer": pointer,
        "file": source.file,
        "line": line,
        "column": column,
        "excerpt": source.excerpt(line),
    }


def _findings(error: Any, document: Any, source: Source | None) -> Iterator[Finding]:
    pointer = pointer_of(error.instance_path)
    kind = type(error.kind).__name__
    if kind == "AdditionalProperties":
        for name in error.kind.unexpected:
            yield _unknown_field(name, pointer, error, source)
    elif kind == "PropertyNames":
        yield _bad_name(error.kind.error.instance, pointer, source)
    else:
        say = _SAYINGS.get(kind, _anything_else)
        value = _at(document, error.instance_path)
        code, message, suggestion = say(error, value)
        field = str(error.instance_path[-1]) if error.instance_path else "the document"
        yield Finding(
            code, f"{field}: {message}", suggestion=suggestion, **locate(source, pointer)
        )


def _unknown_field(name: str, pointer: str, error: Any, source: Source | None) -> Finding:
    owner: Any = _law()
    for part in error.schema_path[:-1]:
        owner = owner[part]
    parts = pointer.split("/")
    where = "a chain" if not pointer else "a step" if len(parts) == 3 else parts[-1]
    return Finding(
        "unknown-field",
        f"{name!r} is not a field of {where}",
        suggestion=did_you_mean(name, owner["properties"])
        or f"known fields: {', '.join(owner['properties'])}",
        **locate(source, f"{pointer}/{escape(name)}", key=True),
    )


def _bad_name(name: str, pointer: str, source: Source | None) -> Finding:
    kind = {"/steps": "step", "/connections": "connection slot", "/vars": "variable"}.get(
        pointer, "input"
    )
    better = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in name)
    better = f"_{better}" if not better or better[0].isdigit() else better
    return Finding(
        "bad-name",
        f"{name!r} cannot name a {kind}: references such as {pointer[1:]}.{better} read it",
        suggestion=f"use letters, digits and _, such as {better!r}",
        **locate(source, f"{pointer}/{escape(name)}", key=True),
    )


def _pattern(error: Any, value: Any) -> tuple[str, str, str]:
    what, how = _PATTERNS.get(error.kind.pattern, ("of the right form", ""))
    return "bad-value", f"{_shown(value)} is not {what}", how


def _type(error: Any, value: Any) -> tuple[str, str, str]:
    wanted = " or ".join(_ARTICLES.get(name, name) for name in error.kind.types)
    more = ""
    if value is None and not error.instance_path:
        return "wrong-type", "it is empty", "begin with `chain: a-name` and `steps:`"
    if value is None:
        more = "give it a value, or remove the field"
    elif error.kind.types == ["string"] and isinstance(value, int | float):
        more = f'write it in quotes: "{value}"'
        if error.instance_path[-1:] == ["version"]:
            more = 'write it in quotes, as MAJOR.MINOR.PATCH: "1.2.0"'
    return "wrong-type", f"{_shown(value)} is not {wanted}", more


def _enum(error: Any, value: Any) -> tuple[str, str, str]:
    options = [str(option) for option in error.kind.options]
    more = did_you_mean(value, options) if isinstance(value, str) else ""
    return "bad-value", f"{_shown(value)} is not one of {', '.join(options)}", more


def _range(error: Any, value: Any) -> tuple[str, str, str]:
    least = "minimum" in type(error.kind).__name__.lower()
    side = "at least" if least else "at most"
    return "out-of-range", f"{_shown(value)} is out of range", f"give {side} {error.kind.limit:g}"


def _required(error: Any, value: Any) -> tuple[str, str, str]:
    name = error.kind.property
    typo = nearest(name, value) if isinstance(value, Mapping) else None
    more = f"is {typo!r} meant for it?" if typo else f"add `{name}: …`"
    return "missing-field", f"the field {name!r} is missing", more


def _anything_else(error: Any, value: Any) -> tuple[str, str, str]:
    return "bad-value", str(error.message), ""


_SAYINGS: dict[str, Callable[[Any, Any], tuple[str, str, str]]] = {
    "Pattern": _pattern, "Type": _type, "Enum": _enum, "Required": _required,
    "Minimum": _range, "Maximum": _range, "ExclusiveMinimum": _range, "ExclusiveMaximum": _range,
}  # fmt: skip


def _at(document: Any, path: list[Any]) -> Any:
    for part in path:
        document = document[part]
    return document


def _shown(value: Any) -> str:
    text = repr(value) if not isinstance(value, dict | list) else _ARTICLES[_kind(value)]
    return text if len(text) <= 60 else text[:60] + "[…]"


def _kind(value: Any) -> str:
    return "object" if isinstance(value, dict) else "array"
