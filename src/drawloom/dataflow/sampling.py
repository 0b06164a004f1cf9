"""Candidate values of a JSON Schema: simple, few, and on its edges.

They are guesses, for a caller that verifies each: what is hard to satisfy
(patterns, `not`) is left to luck.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from drawloom.dataflow.navigation import resolve

_DEEPEST = 8
_EACH = 24
_ALL = ("null", "string", "integer", "number", "boolean", "object", "array")
_FORMATS = {
    "date-time": "2024-02-29T12:00:00Z", "date": "2024-02-29", "time": "12:00:00Z",
    "duration": "PT1H", "uuid": "00000000-0000-4000-8000-000000000000",
    "email": "a@example.org", "uri": "https://example.org/", "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1", "hostname": "example.org", "uri-reference": "a",
}  # fmt: skip
_TEXTS = ("", "a", "0", "1", "-1", "1.5", "true", "text", "A", "a b", "é", "2024-02-29")


def samples(schema: Any, at_most: int = 400) -> Iterator[Any]:
    """Up to *at_most* candidate values of *schema*, the simplest first."""
    return islice(_of(schema, schema, 0), at_most)


def _of(schema: Any, root: Any, depth: int) -> Iterator[Any]:
    if depth > _DEEPEST or schema is False:
        return
    if not isinstance(schema, Mapping):
        schema = {}
    if "$ref" in schema:
        yield from _of(resolve(root, schema), root, depth + 1)
    elif "const" in schema:
        yield schema["const"]
    elif "enum" in schema:
        yield from schema["enum"]
    elif branches := schema.get("anyOf") or schema.get("oneOf"):
        rest = {k: v for k, v in schema.items() if k not in ("anyOf", "oneOf")}
        yield from _in_turn([_of(_merged(rest, b), root, depth + 1) for b in branches])
    elif "allOf" in schema:
        merged = {k: v for k, v in schema.items() if k != "allOf"}
        for part in schema["allOf"]:
            merged = _merged(merged, resolve(root, part))
        yield from _of({k: v for k, v in merged.items() if k != "allOf"}, root, depth + 1)
    else:
        yield from _of_types(schema, root, depth)


def _of_types(schema: Mapping[str, Any], root: Any, depth: int) -> Iterator[Any]:
    named = schema.get("type", _ALL)
    types = [named] if isinstance(named, str) else list(named)
    yield from _in_turn([_of_type(each, schema, root, depth) for each in types])


def _of_type(name: str, schema: Mapping[str, Any], root: Any, depth: int) -> Iterator[Any]:
    match name:
        case "null":
            yield None
        case "boolean":
            yield from (False, True)
        case "string":
            yield from _texts(schema)
        case "integer":
            yield from (n for n in _numbers(schema) if isinstance(n, int))
        case "number":
            yield from sorted(_numbers(schema), key=lambda n: isinstance(n, int))
        case "array":
            yield from _arrays(schema, root, depth)
        case "object":
            yield from _objects(schema, root, depth)


def _texts(schema: Mapping[str, Any]) -> Iterator[str]:
    if schema.get("format") in _FORMATS:
        yield _FORMATS[schema["format"]]
    least = min(schema.get("minLength", 0), 1000)
    most = schema.get("maxLength", 2_000)
    yield from (text for text in _TEXTS if least <= len(text) <= most)
    yield "a" * least
    if "maxLength" in schema and most < 2_000:
        yield "a" * most
    else:
        yield "a" * 1_100


def _numbers(schema: Mapping[str, Any]) -> Iterator[int | float]:
    step = schema.get("multipleOf")
    edges = [schema[k] for k in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
             if isinstance(schema.get(k), int | float)]  # fmt: skip
    around = [edge + d for edge in edges for d in (0, 1, -1, 0.5, -0.5)]
    plain = [0, 1, -1, 0.5, 2, 7, 1.5, -0.5, 1_000_000, 2**53 - 1]
    multiples = [step * n for n in (1, -1, 3)] if isinstance(step, int | float) else []
    for number in (*around, *plain, *multiples):
        whole = isinstance(number, float) and number.is_integer() and abs(number) < 2**53
        yield int(number) if whole else number


def _arrays(schema: Mapping[str, Any], root: Any, depth: int) -> Iterator[list[Any]]:
    least = min(schema.get("minItems", 0), 100)
    first = [_first(part, root, depth) for part in schema.get("prefixItems", ())]
    each = list(islice(_of(schema.get("items", {}), root, depth + 1), _EACH))
    wanted = (
        list(islice(_of(schema["contains"], root, depth + 1), 4)) if "contains" in schema else []
    )
    if least <= len(first):
        yield first
    for value in (*each, *wanted):
        yield [*first, value, *[value] * (least - len(first) - 1)]
    if len(each) > 1:
        yield [*first, *each[:2], *[each[0]] * (least - len(first) - 2)]
    if each:
        yield [*first, *[each[0]] * max(least, 2)]


def _objects(schema: Mapping[str, Any], root: Any, depth: int) -> Iterator[dict[str, Any]]:
    properties = schema.get("properties") or {}
    known = {
        name: list(islice(_of(part, root, depth + 1), _EACH))
        for name, part in properties.items()
        if part is not False
    }
    required = [name for name in schema.get("required", ()) if name not in known]
    full = {name: found[0] for name, found in known.items() if found}
    full.update({name: _first({}, root, depth) for name in required})
    needed = set(schema.get("required", ()))
    yield {name: value for name, value in full.items() if name in needed}
    yield full
    for name in full:
        if name not in needed:
            yield {k: v for k, v in full.items() if k != name}
    for name, found in known.items():
        for value in found[1:]:
            yield {**full, name: value}
    extra = schema.get("additionalProperties", True)
    if extra is not False:
        for value in islice(_of(extra, root, depth + 1), _EACH):
            yield {**full, "key": value}


def _first(schema: Any, root: Any, depth: int) -> Any:
    return next(_of(schema, root, depth + 1), None)


def _in_turn(ways: list[Iterator[Any]]) -> Iterator[Any]:
    """One of each, in turn, so that every branch is seen early."""
    while ways:
        left = []
        for way in ways:
            for value in islice(way, 1):
                yield value
                left.append(way)
        ways = left


def _merged(one: Any, other: Any) -> Any:
    """Both schemas at once, roughly."""
    if not isinstance(one, Mapping) or not isinstance(other, Mapping):
        return other if isinstance(one, Mapping) or one is True else one
    merged = {**one, **other}
    for name in ("properties", "$defs"):
        if name in one and name in other:
            merged[name] = {**one[name], **other[name]}
    if "required" in one and "required" in other:
        merged["required"] = [*one["required"], *other["required"]]
    return merged
