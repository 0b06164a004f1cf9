from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drawloom.dataflow.compatibility import SchemaCompat, Verdict, disjoint
from drawloom.dataflow.conversion import converter_for
from drawloom.dataflow.navigation import at
from drawloom.dataflow.sampling import samples
from drawloom.dataflow.validation import Validator
from drawloom.errors import ValueInvalid

TEXT, WHOLE, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}


def obj(required: str = "", **fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": required.split()}


def rows(of: Any) -> dict[str, Any]:
    return {"type": "array", "items": of}


TREE = {
    "$ref": "#/$defs/T",
    "$defs": {"T": {"type": "object", "properties": {"v": WHOLE, "kids": rows({"$ref": "#/$defs/T"})},
                    "required": ["v"]}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("producer", "target"),
    [
        (TEXT, TEXT), (WHOLE, NUMBER), (TEXT, {}), (TEXT, True),
        ({"enum": ["a"]}, {"enum": ["a", "b"]}), ({"const": 5}, WHOLE),
        (obj("a b", a=TEXT, b=WHOLE), obj("a", a=TEXT)), (rows(WHOLE), rows(NUMBER)),
        ({"type": "integer", "minimum": 5}, {"type": "integer", "minimum": 1}), (TREE, TREE),
        ({"type": ["string", "null"]}, {"anyOf": [TEXT, {"type": "null"}]}),
    ],
)  # fmt: skip
def test_what_is_proven_to_fit(producer: Any, target: Any) -> None:
    assert SchemaCompat().fits(producer, target).verdict is Verdict.YES


@pytest.mark.parametrize(
    ("producer", "target", "witness", "of_kind", "never"),
    [
        ({"type": ["string", "null"]}, TEXT, None, False, False),
        ({"anyOf": [TEXT, {"type": "null"}]}, TEXT, None, False, False),
        (NUMBER, WHOLE, 0.5, False, False),
        (TEXT, WHOLE, "", False, False),
        (WHOLE, TEXT, 0, False, True),
        (rows(TEXT), TEXT, [], False, True),
        (rows(obj("e", e={"type": ["string", "null"]})), rows(obj("e", e=TEXT)), [{"e": None}], False, False),
        (obj(a=TEXT), obj("a", a=TEXT), {}, False, False),
        (obj("b", b=TEXT), obj("a", a=TEXT), {"b": ""}, False, False),
        (TEXT, {"type": "string", "minLength": 1}, "", True, False),
        (TEXT, {"enum": ["a", "b"]}, "", True, False),
        ({"enum": ["x"]}, {"enum": ["a", "b"]}, "x", True, True),
        (WHOLE, {"type": "integer", "minimum": 1}, 0, True, False),
        (TEXT, {"type": "string", "format": "uuid"}, "", True, False),
    ],
)  # fmt: skip
def test_what_does_not_fit_comes_with_a_value_that_breaks_it(
    producer: Any, target: Any, witness: Any, of_kind: bool, never: bool
) -> None:
    fit = SchemaCompat().fits(producer, target)
    assert (fit.verdict, fit.witness) == (Verdict.NO, witness)
    assert (fit.of_kind, fit.never) == (of_kind, never)


@pytest.mark.parametrize(
    ("producer", "target"),
    [
        ({}, TEXT), (True, WHOLE), (rows({}), rows(TEXT)), ({"type": "object"}, obj("a", a=TEXT)),
        (rows({"type": "object", "additionalProperties": True}), rows(obj("a", a=TEXT))),
        ({"type": "object", "additionalProperties": True}, {"type": "object", "additionalProperties": TEXT}),
        (obj("a", a={}), obj("a", a=WHOLE)),
        (obj(), {"oneOf": [obj(), obj("a")]}),
        # what conversion mends
        ({"enum": ["1", "2"]}, WHOLE), ({"const": 5.0}, WHOLE), ({"const": "1.5"}, NUMBER),
        # what nobody can prove
        ({"type": "string", "pattern": "^ab"}, {"type": "string", "pattern": "^a"}),
    ],
)  # fmt: skip
def test_what_is_open_convertible_or_unproven_is_left_to_the_run(
    producer: Any, target: Any
) -> None:
    assert SchemaCompat().fits(producer, target).verdict in (Verdict.UNKNOWN, Verdict.YES)


def test_an_unusable_schema_is_unknown_and_never_an_exception() -> None:
    for bad in ({"type": "strng"}, {"$ref": "#/nowhere"}, {"pattern": "("}):
        assert SchemaCompat().fits(bad, TEXT).verdict is Verdict.UNKNOWN
        assert SchemaCompat().fits(TEXT, bad).verdict is Verdict.UNKNOWN


def test_wide_recursive_schemas_are_compared_in_bounded_work() -> None:
    names = "abcdefgh"

    def tree(leaf: Any) -> dict[str, Any]:
        branch = {name: rows({"$ref": "#/$defs/T"}) for name in names}
        return {"$ref": "#/$defs/T", "$defs": {"T": obj("v", v=leaf, **branch)}}

    fit = SchemaCompat().fits(tree({"type": ["integer", "null"]}), tree(WHOLE))
    assert (fit.verdict, fit.witness) == (Verdict.NO, {"v": None})


def test_disjoint_says_only_what_is_certain() -> None:
    assert disjoint(TEXT, WHOLE)
    assert disjoint({"type": "number", "minimum": 5}, {"type": "number", "exclusiveMaximum": 5})
    assert not disjoint(WHOLE, NUMBER)
    assert not disjoint({"type": "strng"}, TEXT)


SCALARS = st.sampled_from(
    [TEXT, WHOLE, NUMBER, {}, {"type": "boolean"}, {"type": "null"}, {"type": ["string", "null"]},
     {"enum": ["a", 1, None]}, {"const": "1"}, {"type": "integer", "minimum": 1, "maximum": 3},
     {"type": "string", "minLength": 1}, {"type": "string", "pattern": "^a"}, {"type": "number", "multipleOf": 0.5},
     {"type": "string", "format": "date"}, {"not": {"type": "null"}}]
)  # fmt: skip


def _bigger(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    fields = st.dictionaries(st.sampled_from("abc"), inner, max_size=2)
    objects = st.builds(
        lambda p, r, extra: {"type": "object", "properties": p, "required": r, **extra},
        fields,
        st.lists(st.sampled_from("abc"), max_size=2, unique=True),
        st.sampled_from([{}, {"additionalProperties": False}, {"additionalProperties": TEXT}]),
    )
    lists = st.builds(
        lambda i, extra: {"type": "array", "items": i, **extra},
        inner,
        st.sampled_from([{}, {"minItems": 1}, {"maxItems": 2}, {"uniqueItems": True}]),
    )
    unions = st.builds(lambda w, b: {w: b}, st.sampled_from(["anyOf", "oneOf", "allOf"]),
                       st.lists(inner, min_size=1, max_size=2))  # fmt: skip
    return objects | lists | unions


SCHEMAS = st.recursive(SCALARS, _bigger, max_leaves=5)


def taken(target: Any, value: Any) -> bool:
    try:
        return Validator(target).is_valid(converter_for(target)(value))
    except ValueInvalid:
        return False


@settings(max_examples=400, deadline=None)
@given(SCHEMAS, SCHEMAS)
def test_yes_is_sound_and_no_is_proven(producer: Any, target: Any) -> None:
    fit = SchemaCompat().fits(producer, target)
    made = [v for v in samples(producer) if Validator(producer).is_valid(v)]
    if fit.verdict is Verdict.YES:
        assert all(taken(target, value) for value in made)
    if fit.verdict is Verdict.NO:
        assert jsonschema_rs.is_valid(producer, fit.witness, validate_formats=True)
        assert not taken(target, fit.witness)
    if fit.never:
        assert not any(Validator(target).is_valid(value) for value in made)


# -- navigation ------------------------------------------------------------------

ROW = obj("id", id=WHOLE, email={"type": ["string", "null"]}, **{"a b": TEXT})
OUT = {**obj("rows first", rows=rows({"$ref": "#/$defs/Row"}), first={"anyOf": [{"$ref": "#/$defs/Row"}, {"type": "null"}]}),
       "$defs": {"Row": ROW}}  # fmt: skip


@pytest.mark.parametrize(
    ("schema", "path", "found", "certain", "mapped"),
    [
        (OUT, ("rows",), {"type": "array", "items": {"$ref": "#/$defs/Row"}, "$defs": {"Row": ROW}}, True, False),
        (OUT, ("rows", "id"), WHOLE, True, True),
        (OUT, ("rows", 0, "id"), WHOLE, False, False),
        (OUT, ("first", "id"), WHOLE, False, False),
        (OUT, ("first", "a b"), TEXT, False, False),
        ({"type": "object"}, ("x",), None, True, False),
        ({}, ("x", 0, "y"), None, True, False),
        ({"type": "object", "additionalProperties": TEXT}, ("x",), TEXT, False, False),
        ({"type": "object", "patternProperties": {"^x": TEXT}}, ("x",), None, True, False),
        ({"type": "array", "prefixItems": [TEXT, WHOLE], "minItems": 2}, (1,), WHOLE, True, False),
        ({"allOf": [obj("a", a=TEXT), obj("b", b=WHOLE)]}, ("b",), WHOLE, True, False),
        ({"anyOf": [obj("a", a=TEXT), obj("a", a=WHOLE)]}, ("a",), {"anyOf": [TEXT, WHOLE]}, True, False),
        (TREE, ("kids", 0, "kids", 0, "v"), WHOLE, False, False),
    ],
)  # fmt: skip
def test_a_path_is_followed(
    schema: Any, path: Any, found: Any, certain: bool, mapped: bool
) -> None:
    place = at(schema, path)
    assert place.found
    assert (place.schema, place.certain, place.mapped) == (found, certain, mapped)


@pytest.mark.parametrize(
    ("schema", "path", "depth", "known", "kinds"),
    [
        (OUT, ("row",), 0, ("rows", "first"), ("object",)),
        (OUT, ("rows", "idd"), 1, ("id", "email", "a b"), ("array", "object")),
        (OUT, ("first", "idd"), 1, ("id", "email", "a b"), ("object", "null")),
        (TEXT, ("x",), 0, (), ("string",)),
        ({"const": 5}, ("x",), 0, (), ("scalar",)),
        ({"type": "array", "items": False, "prefixItems": [TEXT]}, (1,), 0, (), ("array",)),
        (obj("a", a=TEXT), (0,), 0, ("a",), ("object",)),
    ],
)  # fmt: skip
def test_where_nothing_can_stand_it_is_told_what_is_there(
    schema: Any, path: Any, depth: int, known: Any, kinds: Any
) -> None:
    place = at(schema, path)
    assert not place.found
    assert (place.depth, place.known, place.kinds) == (depth, known, kinds)


def test_references_in_a_circle_end() -> None:
    assert at({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}, ("x",)).schema is None
