"""Whether every value of one schema fits another, with a value that does not.

The answer is `yes` only where it is proven (jsonschema-rs, containment of
canonical forms), and `no` only with a witness that was tried on both schemas,
conversion included; else it is `unknown`, and the value is checked at run time.

What a producer leaves open (`{}`, a dict of anything) is not held against it:
there the target's wishes are checked at run time (gradual typing; Siek and
Taha, 2006).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

import jsonschema_rs

from drawloom.dataflow.conversion import converter_for
from drawloom.dataflow.navigation import Place, at, resolve
from drawloom.dataflow.sampling import samples
from drawloom.dataflow.validation import Validator
from drawloom.dataflow.values import UNDEFINED
from drawloom.errors import ValueInvalid

_DEEPEST = 12
_MOST_PLACES = 2_000
_FACETS = frozenset({
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength",
    "maxLength", "pattern", "format", "minItems", "maxItems", "uniqueItems", "minProperties",
    "maxProperties", "enum", "contains", "minContains", "maxContains", "propertyNames", "not",
})  # fmt: skip


class Verdict(StrEnum):
    """Whether every value fits."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Fit:
    """The verdict. `witness` is a value that does not fit, or `UNDEFINED`.

    `of_kind` says that the witness is of a right type and only out of range
    (too long, too small, not in the enum); `never` that no value fits at all.
    """

    verdict: Verdict
    witness: Any = UNDEFINED
    of_kind: bool = False
    never: bool = False


_YES, _UNKNOWN = Fit(Verdict.YES), Fit(Verdict.UNKNOWN)


class SchemaCompat:
    """Compares schemas and follows paths in them; remembers what it compared."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Fit] = {}

    def at(self, schema: Any, path: tuple[str | int, ...]) -> Place:
        """What *schema* says of *path*; see `Place`."""
        return at(schema, path)

    def fits(self, producer: Any, target: Any) -> Fit:
        """Whether every value of *producer* fits *target*, after conversion."""
        key = (_text(producer), _text(target))
        if key not in self._known:
            self._known[key] = _fits(producer, target, *key)
        return self._known[key]


def _fits(producer: Any, target: Any, producer_text: str, target_text: str) -> Fit:
    if producer_text == target_text or target in (True, {}):
        return _YES
    one, other = _canonical(producer_text), _canonical(target_text)
    if one is None or other is None:
        return _UNKNOWN
    if str(other.covers(one)) == "yes":
        return _YES
    wanted = _Relaxing(target, producer).relaxed(target, producer)
    return _broken(producer, target, wanted) or _UNKNOWN


def _broken(producer: Any, target: Any, wanted: Any) -> Fit | None:
    """The verdict `no`, if some sample of *producer* is really refused."""
    if wanted in (True, {}):
        return None
    judge, whole, made = _Judge(wanted), _Judge(target), Validator(producer)
    for value in _candidates(producer, wanted):
        if made.is_valid(value) and not judge.takes(value) and not whole.takes(value):
            kind = _Judge(_without_facets(wanted)).takes(value)
            never = not any(judge.takes(v) for v in samples(producer) if made.is_valid(v))
            return Fit(Verdict.NO, value, of_kind=kind, never=never and disjoint(producer, target))
    return None


class _Judge:
    """What a run does with a value: convert it to the target, and validate it."""

    def __init__(self, target: Any) -> None:
        self._convert = converter_for(target)
        self._validator = Validator(target)

    def takes(self, value: Any) -> bool:
        try:
            return self._validator.is_valid(self._convert(value))
        except ValueInvalid:
            return False


def _candidates(producer: Any, wanted: Any) -> list[Any]:
    """Values that probably break: of what is left of *producer* without *wanted*, then of it."""
    found: list[Any] = []
    one, other = _canonical(_text(producer)), _canonical(_text(wanted))
    if one is not None and other is not None:
        try:
            found += samples(one.subtract(other).to_json_schema())
        except (jsonschema_rs.canonical.CanonicalizationError, ValueError):
            pass
    return [*found, *samples(producer)]


def disjoint(*schemas: Any) -> bool:
    """Whether it is proven that no value satisfies all of *schemas* (without conversion)."""
    forms = [_canonical(_text(schema)) for schema in schemas]
    if any(form is None for form in forms):
        return False
    both = forms[0]
    for form in forms[1:]:
        both = both.intersect(form)
    return str(both.satisfiability()) == "no"


def _text(schema: Any) -> str:
    return json.dumps(schema, sort_keys=True)


@lru_cache(maxsize=1024)
def _canonical(text: str) -> Any:
    """The canonical form, or None where there is none."""
    try:
        return jsonschema_rs.canonicalize(json.loads(text), validate_formats=True, offline=True)
    except (ValueError, jsonschema_rs.ReferencingError):
        return None


# -- gradual typing: what the producer leaves open is not held against it ---------


class _Relaxing:
    """One walk over a target and a producer side by side, bounded for recursive schemas."""

    def __init__(self, target: Any, producer: Any) -> None:
        self._target, self._producer = target, producer
        self._left = _MOST_PLACES

    def relaxed(self, target: Any, producer: Any, depth: int = 0) -> Any:
        """*target* without what it asks of places that *producer* says nothing about."""
        producer, wanted = resolve(self._producer, producer), resolve(self._target, target)
        self._left -= 1
        if depth > _DEEPEST or self._left < 0 or _open(producer):
            return {}
        if not isinstance(wanted, Mapping) or not isinstance(producer, Mapping):
            return target
        for word in ("anyOf", "oneOf"):
            if word in producer:
                for branch in producer[word]:
                    wanted = self.relaxed(wanted, branch, depth + 1)
                return _rooted(wanted, self._target)
        made = dict(wanted)
        if "oneOf" in made:
            # Relaxed branches overlap, and what fits two of them would be refused.
            made["allOf"] = [*made.get("allOf", ()), {"anyOf": made.pop("oneOf")}]
        for word in ("anyOf", "allOf"):
            if word in made:
                made[word] = [self.relaxed(part, producer, depth + 1) for part in made[word]]
        self._object(made, producer, depth)
        if "items" in made and "prefixItems" not in producer:
            made["items"] = self.relaxed(made["items"], producer.get("items", {}), depth + 1)
        return _rooted(made, self._target)

    def _object(self, made: dict[str, Any], producer: Mapping[str, Any], depth: int) -> None:
        declared = producer.get("properties") or {}
        extra = producer.get("additionalProperties", not declared)
        if "properties" in made:
            made["properties"] = {
                name: self.relaxed(part, declared.get(name, extra), depth + 1)
                for name, part in made["properties"].items()
                if name in declared or extra is not False
            }
        if extra is False:
            return
        if _open(extra):
            made.pop("additionalProperties", None)
            made.pop("propertyNames", None)
        made["required"] = [name for name in made.get("required", ()) if name in declared]


def _rooted(schema: Any, root: Any) -> Any:
    """*schema* with the definitions of its document."""
    if isinstance(schema, Mapping) and isinstance(root, Mapping) and "$defs" in root:
        return {**schema, "$defs": root["$defs"]}
    return schema


def _open(schema: Any) -> bool:
    """Whether a schema says nothing."""
    if not isinstance(schema, Mapping):
        return schema is not False
    return not schema.keys() - {"title", "description", "default", "examples", "$defs", "$schema"}


def _without_facets(schema: Any) -> Any:
    """*schema* with its types and fields only."""
    if isinstance(schema, Mapping):
        kept = {k: v for k, v in schema.items() if k not in _FACETS}
        if "enum" in schema and "type" not in kept:
            kept["type"] = sorted({_type_of(value) for value in schema["enum"]})
        if "const" in kept:
            kept["type"] = _type_of(kept.pop("const"))
        names = ("properties", "$defs")
        return {
            k: {n: _without_facets(p) for n, p in v.items()} if k in names else _without_facets(v)
            for k, v in kept.items()
        }
    return [_without_facets(each) for each in schema] if isinstance(schema, list) else schema


def _type_of(value: Any) -> str:
    names: dict[type, str] = {
        str: "string", bool: "boolean", int: "number", float: "number", type(None): "null",
        list: "array", dict: "object",
    }  # fmt: skip
    return names[type(value)]
