"""Conversion to what a schema wants, where nothing is lost; an error where something would be.

| wanted  | given                                   | becomes                                |
|---------|-----------------------------------------|----------------------------------------|
| integer | "12", a whole float (5.0)               | the integer, exact                     |
| number  | "12", "1.5" (the double says the same)  | the number                             |
| string  | a number or a boolean                   | refused: write it as text, "${x}."     |
| array   | one value, or nothing, of an expression | [x], or []                             |

Text is a number only in its canonical decimal form: no sign but a minus, no
exponent, no spaces, no leading zeros. What is not converted stays as it is, for
validation to judge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from drawloom.dataflow.conversion_scalars import Memo, Way, in_turn, of_types
from drawloom.dataflow.validation import Validator
from drawloom.dataflow.values import UNDEFINED, pointer
from drawloom.errors import ValueInvalid

Convert: TypeAlias = Callable[[Any], Any]
_REMEMBERED: Final = 1_024

_by_identity: dict[tuple[int, bool], tuple[Any, Convert]] = {}


def converter_for(schema: Any, *, from_expression: bool = False) -> Convert:
    """A function that converts a value to what *schema* wants; compiled once per schema object.

    It gives the same object back where nothing changes, copies only the
    containers on the way to a change, and raises `ValueInvalid` with the JSON
    Pointer where a conversion would lose something. Of an `anyOf` or `oneOf`
    the value stays as it is if it fits, else the first branch whose conversion
    fits is taken. With *from_expression* a place that wants an array gets one:
    JSONata unwraps a sequence of one and drops an empty one. Items of an array
    are left alone, for there `[x]` and `x` cannot be told apart.
    """
    key = (id(schema), from_expression)
    held = _by_identity.get(key)
    if held is not None:
        return held[1]
    made = _callable(_Compiler(schema).compile(schema, "", from_expression))
    if len(_by_identity) >= _REMEMBERED:
        _by_identity.pop(next(iter(list(_by_identity))), None)
    # The schema is held too, so that its identity is not given to another object.
    _by_identity[key] = (schema, made)
    return made


def _callable(way: Way | None) -> Convert:
    if way is None:
        return lambda value: value

    def convert(value: Any) -> Any:
        try:
            return way(value, {})
        except RecursionError:
            raise ValueInvalid("the value is nested too deep to be converted") from None

    return convert


class _Compiler:
    """Compiles the nodes of one schema document, each `$ref` once (they may be recursive).

    `at` is the JSON Pointer of a node in the document, as `$ref` writes it.
    """

    def __init__(self, root: Any) -> None:
        self.root = root
        self.refs: dict[tuple[str, bool], list[Way | None]] = {}

    def compile(self, schema: Any, at: str, wrap: bool) -> Way | None:
        """A converter, or None where nothing under *schema* could ever change."""
        if not isinstance(schema, Mapping):
            return None
        stages = [
            self._ref(schema.get("$ref"), wrap),
            *self._each(schema, "allOf", at, wrap),
            self._branches(schema, at, wrap),
            of_types(schema, wrap),
            self._object(schema, at, wrap),
            self._array(schema, at),
        ]
        return in_turn([stage for stage in stages if stage is not None])

    def _each(self, schema: Mapping[str, Any], key: str, at: str, wrap: bool) -> list[Way | None]:
        listed = schema.get(key)
        parts = listed if isinstance(listed, list) else []
        return [self.compile(part, f"{at}/{key}/{i}", wrap) for i, part in enumerate(parts)]

    def _ref(self, ref: Any, wrap: bool) -> Way | None:
        if not isinstance(ref, str) or not (ref == "#" or ref.startswith("#/")):
            return None  # anchors and other documents are left to validation
        held = self.refs.get((ref, wrap))
        if held is None:
            held = self.refs[ref, wrap] = [None]
            held[0] = self.compile(_resolved(self.root, ref), ref[1:], wrap)
            return held[0]
        # Met again: it is done, or we are inside it and it is looked up when it is called.
        return held[0] or (lambda value, memo: held[0](value, memo) if held[0] else value)

    def _branches(self, schema: Mapping[str, Any], at: str, wrap: bool) -> Way | None:
        ways = [
            (way, _Part(self.root, f"{at}/{key}/{index}"))
            for key in ("anyOf", "oneOf")
            for index, way in enumerate(self._each(schema, key, at, wrap))
            if way is not None
        ]
        return _first_that_fits(_Part(self.root, at), ways) if ways else None

    def _object(self, schema: Mapping[str, Any], at: str, wrap: bool) -> Way | None:
        properties = schema.get("properties")
        known = properties if isinstance(properties, Mapping) else {}
        ways = {
            name: self.compile(each, f"{at}/properties{pointer([name])}", wrap)
            for name, each in known.items()
        }
        wanted = {name: way for name, way in ways.items() if way}
        other = None
        if "patternProperties" not in schema:
            rest = schema.get("additionalProperties")
            other = self.compile(rest, f"{at}/additionalProperties", wrap)
        if other:
            return _each_field(wanted, frozenset(known), other)
        return _fields(wanted) if wanted else None

    def _array(self, schema: Mapping[str, Any], at: str) -> Way | None:
        first = self._each(schema, "prefixItems", at, False)
        rest = self.compile(schema.get("items"), f"{at}/items", False)
        return _items(first, rest) if rest or any(first) else None


class _Part:
    """The validator of one node of a document, made when it is first needed."""

    __slots__ = ("at", "root", "validator")

    def __init__(self, root: Any, at: str) -> None:
        self.root = root
        self.at = at
        self.validator: Validator | None = None

    def is_valid(self, value: Any) -> bool:
        if self.validator is None:
            self.validator = Validator(self._schema())
        return self.validator.is_valid(value)

    def _schema(self) -> Any:
        if not self.at:
            return self.root
        # With an `$id` of its own the document's inner references stay its own.
        name = self.root.get("$id", "urn:drawloom:document")
        made = {"$ref": f"{name}#{self.at}", "$defs": {"document": {**self.root, "$id": name}}}
        return {"$schema": self.root["$schema"], **made} if "$schema" in self.root else made


def _resolved(root: Any, ref: str) -> Any:
    node = root
    for segment in ref.split("/")[1:]:
        name = segment.replace("~1", "/").replace("~0", "~")
        if isinstance(node, list):
            node = node[int(name)] if name.isdecimal() and int(name) < len(node) else None
        else:
            node = node.get(name) if isinstance(node, Mapping) else None
    return node


def _first_that_fits(whole: _Part, ways: list[tuple[Way, _Part]]) -> Way:
    def convert(value: Any, memo: Memo) -> Any:
        if value is not UNDEFINED and whole.is_valid(value):
            return value
        key = (id(whole), id(value))
        if key not in memo:
            # The value is held, so that its identity is not given to another object.
            memo[key] = (value, _tried(value, ways, memo))
        return memo[key][1]

    return convert


def _tried(value: Any, ways: list[tuple[Way, _Part]], memo: Memo) -> Any:
    refusal: ValueInvalid | None = None
    for way, wanted in ways:
        try:
            made = way(value, memo)
        except ValueInvalid as exc:
            refusal = exc
            continue
        if made is not value and made is not UNDEFINED and wanted.is_valid(made):
            return made
    if refusal is not None and len(ways) == 1:
        raise refusal
    return value


# -- containers: copied only where something under them changes ------------------


def _fields(wanted: Mapping[str, Way]) -> Way:
    def convert(value: Any, memo: Memo) -> Any:
        if type(value) is not dict:
            return value
        changed: dict[str, Any] = {}
        for name, way in wanted.items():
            if name in value:
                _note(changed, name, way, value[name], memo)
        return {**value, **changed} if changed else value

    return convert


def _each_field(wanted: Mapping[str, Way], known: frozenset[str], other: Way) -> Way:
    def convert(value: Any, memo: Memo) -> Any:
        if type(value) is not dict:
            return value
        changed: dict[str, Any] = {}
        for name, inner in value.items():
            way = wanted.get(name) if name in known else other
            if way is not None:
                _note(changed, name, way, inner, memo)
        return {**value, **changed} if changed else value

    return convert


def _items(first: list[Way | None], rest: Way | None) -> Way:
    def convert(value: Any, memo: Memo) -> Any:
        if type(value) is not list:
            return value
        changed: dict[int, Any] = {}
        for index, inner in enumerate(value):
            way = first[index] if index < len(first) else rest
            if way is not None:
                _note(changed, index, way, inner, memo)
        return [changed.get(i, inner) for i, inner in enumerate(value)] if changed else value

    return convert


def _note(changed: dict[Any, Any], place: str | int, way: Way, inner: Any, memo: Memo) -> None:
    """Keep what *way* makes of *inner*, if that is another value."""
    try:
        made = way(inner, memo)
    except ValueInvalid as exc:
        raise ValueInvalid(exc.reason, pointer([place]) + exc.path) from None
    if made is not inner:
        changed[place] = made
