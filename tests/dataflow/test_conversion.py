"""Conversion to what a schema wants: it loses nothing, or it is refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drawloom.dataflow.conversion import converter_for
from drawloom.dataflow.validation import Validator
from drawloom.dataflow.values import UNDEFINED
from drawloom.errors import ValueInvalid

INTEGER: dict[str, Any] = {"type": "integer"}
NUMBER: dict[str, Any] = {"type": "number"}
TEXT: dict[str, Any] = {"type": "string"}
LIST: dict[str, Any] = {"type": "array"}

CONVERTED: list[tuple[Any, Any, Any]] = [
    (INTEGER, "5", 5),
    (INTEGER, "-7", -7),
    (INTEGER, "0", 0),
    (INTEGER, "9007199254740993", 9007199254740993),
    (INTEGER, "9" * 4_300, 10**4_300 - 1),
    (INTEGER, 5.0, 5),
    (NUMBER, "5", 5),
    (NUMBER, "0.1", 0.1),
    (NUMBER, "1.50", 1.5),
    (NUMBER, "-0.0", -0.0),
    ({"type": ["integer", "null"]}, "5", 5),
    ({"anyOf": [INTEGER, {"type": "null"}]}, "5", 5),
    ({"oneOf": [{"type": "boolean"}, NUMBER]}, "1.5", 1.5),
    ({"anyOf": [{"type": "integer", "maximum": 3}, NUMBER]}, "4", 4),
    ({"allOf": [INTEGER, {"minimum": 1}]}, "5", 5),
    ({"$ref": "#/$defs/n", "$defs": {"n": INTEGER}}, "5", 5),
    ({"properties": {"a": INTEGER}}, {"a": "1", "b": "1"}, {"a": 1, "b": "1"}),
    (
        {"properties": {"a": {}}, "additionalProperties": INTEGER},
        {"a": "1", "b": "1"},
        {"a": "1", "b": 1},
    ),
    ({"items": {"properties": {"a": INTEGER}}}, [{"a": 1}, {"a": "2"}], [{"a": 1}, {"a": 2}]),
    ({"prefixItems": [TEXT, INTEGER], "items": NUMBER}, ["1", "1", "1"], ["1", 1, 1]),
    (
        {
            "properties": {
                "x": {"anyOf": [INTEGER, {"$ref": "#/properties/y"}]},
                "y": {"type": "null"},
            }
        },
        {"x": "3"},
        {"x": 3},
    ),
]


@pytest.mark.parametrize(("schema", "value", "wanted"), CONVERTED, ids=range(len(CONVERTED)))
def test_it_converts_where_nothing_is_lost(schema: Any, value: Any, wanted: Any) -> None:
    made = converter_for(schema)(value)
    assert made == wanted
    assert repr(made) == repr(wanted)
    assert Validator(schema).is_valid(made)


STAYS: list[tuple[Any, Any]] = [
    *[
        (INTEGER, text)
        for text in [" 5", "5 ", "1e3", "05", "-0", "+5", "1.0", "", "٥", "5\n", "0x5"]
    ],
    (INTEGER, "9" * 4_301),
    (INTEGER, 5.5),
    (INTEGER, 1e300),
    (INTEGER, True),
    (INTEGER, None),
    (NUMBER, "1e5"),
    (NUMBER, ".5"),
    (NUMBER, "5."),
    (NUMBER, "Infinity"),
    (NUMBER, "1_000"),
    (NUMBER, 5),
    (TEXT, "5"),
    (TEXT, None),
    ({"type": "boolean"}, "true"),
    ({"type": ["string", "integer"]}, "5"),
    ({"type": ["string", "integer"]}, 5),
    ({"anyOf": [TEXT, INTEGER]}, "5"),
    ({"anyOf": [TEXT, INTEGER]}, 5),
    ({"type": ["integer", "number"]}, 5.0),
    ({"items": INTEGER}, [1, 2]),
    (LIST, 5),
    (True, "5"),
    ({"$ref": "https://example.com/other"}, "5"),
]


@pytest.mark.parametrize(("schema", "value"), STAYS, ids=range(len(STAYS)))
def test_everything_else_stays_the_same_object(schema: Any, value: Any) -> None:
    assert converter_for(schema)(value) is value


REFUSED: list[tuple[Any, Any, str, str]] = [
    (NUMBER, "12345678901234567890.123", "", "more digits"),
    (NUMBER, "9007199254740993.0", "", "more digits"),
    (NUMBER, "0.1000000000000000055", "", "more digits"),
    (TEXT, 5, "", "text is wanted"),
    (TEXT, 1.5, "", "text is wanted"),
    (TEXT, True, "", "text is wanted"),
    ({"anyOf": [TEXT, {"type": "null"}]}, 5, "", "text is wanted"),
    ({"type": ["string", "null"]}, 5, "", "text is wanted"),
    ({"properties": {"a/b": {"items": TEXT}}}, {"a/b": ["x", 5]}, "/a~1b/1", "text is wanted"),
]


@pytest.mark.parametrize(("schema", "value", "path", "said"), REFUSED, ids=range(len(REFUSED)))
def test_a_loss_is_an_error_with_its_place(schema: Any, value: Any, path: str, said: str) -> None:
    with pytest.raises(ValueInvalid, match=said) as raised:
        converter_for(schema)(value)
    assert raised.value.path == path


EXPRESSIONS: list[tuple[Any, Any, Any]] = [
    (LIST, 5, [5]),
    (LIST, UNDEFINED, []),
    (LIST, None, [None]),
    (LIST, {"a": 1}, [{"a": 1}]),
    (LIST, [5], [5]),
    ({"type": ["array", "null"]}, None, None),
    ({"type": ["array", "null"]}, 5, [5]),
    ({"type": ["array", "number"]}, 5, 5),
    ({"type": "array", "items": INTEGER}, "5", [5]),
    ({"anyOf": [{"type": "array", "items": INTEGER}, {"type": "null"}]}, 5, [5]),
    ({"properties": {"a": LIST}}, {"a": 5}, {"a": [5]}),
    ({"type": "array", "items": LIST}, [1, 2], [1, 2]),
    (INTEGER, UNDEFINED, UNDEFINED),
]


@pytest.mark.parametrize(("schema", "value", "wanted"), EXPRESSIONS, ids=range(len(EXPRESSIONS)))
def test_an_expression_gives_a_list_where_one_is_wanted(
    schema: Any, value: Any, wanted: Any
) -> None:
    assert converter_for(schema, from_expression=True)(value) == wanted


def test_without_an_expression_nothing_is_wrapped() -> None:
    assert converter_for({"properties": {"a": LIST}})({"a": 5}) == {"a": 5}


TREE: dict[str, Any] = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "n": INTEGER,
                "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
            },
        }
    },
    "$ref": "#/$defs/node",
}


def chain_of(depth: int, last: Any) -> Any:
    value: Any = {"n": last}
    for _ in range(depth):
        value = {"n": "1", "next": value}
    return value


def test_a_recursive_schema_converts_at_every_depth() -> None:
    made = converter_for(TREE)(chain_of(50, "1"))
    for _ in range(50):
        assert made["n"] == 1
        made = made["next"]
    assert made == {"n": 1}


def test_a_union_within_a_union_is_tried_once_for_each_value() -> None:
    """Two branches for each of 150 levels: tried again inside each other they would never end."""
    branch = {"type": "object", "properties": {"c": {"$ref": "#/$defs/n"}}}
    schema = {
        "$defs": {
            "n": {
                "anyOf": [
                    {
                        **branch,
                        "required": ["a"],
                        "properties": {"a": INTEGER, **branch["properties"]},
                    },
                    {
                        **branch,
                        "required": ["b"],
                        "properties": {"b": INTEGER, **branch["properties"]},
                    },
                    {"type": "null"},
                ]
            }
        },
        "$ref": "#/$defs/n",
    }
    value: Any = {"a": "not a number"}
    for level in range(150):
        value = {"ab"[level % 2]: str(level), "c": value}
    assert converter_for(schema)(value) is value


def test_too_deep_a_value_is_a_typed_error() -> None:
    with pytest.raises(ValueInvalid, match="nested too deep"):
        converter_for(TREE)(chain_of(2_000, "1"))


def test_what_does_not_change_is_not_copied() -> None:
    kept = [{"a": 1} for _ in range(10)]
    value = {"kept": kept, "n": "5"}
    schema = {
        "properties": {"kept": {"items": {"properties": {"a": INTEGER}}}, "n": INTEGER},
    }
    made = converter_for(schema)(value)
    assert made == {"kept": kept, "n": 5}
    assert made["kept"] is kept
    assert value["n"] == "5", "the input was changed"


def test_a_converter_is_compiled_once_for_each_schema_object() -> None:
    schema = {"type": "integer"}
    assert converter_for(schema) is converter_for(schema)
    assert converter_for(schema) is not converter_for(schema, from_expression=True)


NUMBER_TEXTS = st.from_regex(r"\A-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?\Z")


@given(NUMBER_TEXTS)
@settings(deadline=None, max_examples=300)
def test_a_number_says_just_what_its_text_said(text: str) -> None:
    try:
        made = converter_for(NUMBER)(text)
    except ValueInvalid:
        assert len(text.replace("-", "").replace(".", "").strip("0")) > 15
        return
    assert Decimal(repr(made)) == Decimal(text)


@given(st.integers())
@settings(deadline=None)
def test_an_integer_comes_back_from_its_text(number: int) -> None:
    assert converter_for(INTEGER)(str(number)) == number
