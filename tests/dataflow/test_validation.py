"""Validation: where a value does not fit, said in few words."""

from __future__ import annotations

from typing import Any

import pytest

from drawloom.dataflow.validation import (
    LONGEST_EXCERPT,
    Validator,
    apply_defaults,
    excerpt,
    validator_for,
)
from drawloom.dataflow.values import encode_value
from drawloom.errors import ValueInvalid

ORDER: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "rows": {"type": "array", "items": {"$ref": "#/$defs/row"}},
        "way": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    },
    "required": ["id"],
    "additionalProperties": False,
    "$defs": {"row": {"type": "object", "properties": {"a/b": {"type": "number"}}}},
}

WRONG: list[tuple[Any, str, str]] = [
    ({"id": "x"}, "/id", '"x" is not of type "integer"'),
    ({}, "", '"id" is a required property'),
    ({"id": 1, "rows": [{}, {"a/b": []}]}, "/rows/1/a~1b", '[] is not of type "number"'),
    ({"id": 1, "idd": 2}, "", 'no field of that name is known here: "idd"'),
    ({"id": 1, "way": "x"}, "/way", "fits none of the 2 forms"),
    ([], "", '[] is not of type "object"'),
]


@pytest.mark.parametrize(("value", "path", "said"), WRONG)
def test_the_error_names_place_value_and_what_was_wanted(value: Any, path: str, said: str) -> None:
    with pytest.raises(ValueInvalid) as raised:
        validator_for(ORDER).check(value, where="the input of late")
    assert raised.value.path == path
    assert raised.value.reason.startswith("the input of late: ")
    assert said in raised.value.reason


def test_a_big_value_is_not_repeated() -> None:
    big = {"id": ["x" * 1_000] * 1_000, **{f"k{i}": i for i in range(10_000)}}
    for schema in (ORDER, {"properties": {"id": {"type": "integer"}}}, {"maxProperties": 3}):
        with pytest.raises(ValueInvalid) as raised:
            Validator(schema).check(big)
        assert len(str(raised.value)) < LONGEST_EXCERPT + 200
    [(_, said)] = Validator({**ORDER, "properties": {"id": {}}}).errors(big)
    assert said.endswith("and 9995 more")


def test_all_errors_are_listed_up_to_a_limit() -> None:
    validator = Validator({"items": {"type": "integer"}})
    assert validator.errors([1, "a", 2, None]) == [
        ("/1", '"a" is not of type "integer"'),
        ("/3", 'null is not of type "integer"'),
    ]
    assert len(validator.errors(["a"] * 500, at_most=7)) == 7
    assert validator.errors([1]) == []


BROKEN: list[tuple[Any, str, str]] = [
    ({"type": "nope"}, "/type", "nope"),
    ({"properties": {"a": {"minimum": "x"}}}, "/properties/a/minimum", '"x"'),
    ({"pattern": "(?=a)b"}, "/pattern", "look-around"),
    ({"pattern": r"(a)\1"}, "/pattern", "linear-time"),
    ({"pattern": "((a{1000}){1000}){1000}"}, "/pattern", "linear-time"),
    ({"$ref": "#/$defs/none"}, "", "/$defs/none"),
    ({"$ref": "https://example.com/schema"}, "", "example.com"),
    ({"$ref": "file:///etc/passwd"}, "", "passwd"),
]


@pytest.mark.parametrize(("schema", "path", "said"), BROKEN)
def test_what_is_no_schema_is_refused(schema: Any, path: str, said: str) -> None:
    with pytest.raises(ValueInvalid) as raised:
        Validator(schema)
    assert raised.value.path == path
    assert said in str(raised.value)


def test_a_pattern_cannot_hang() -> None:
    """With a backtracking engine this would take longer than the universe is old."""
    assert not Validator({"pattern": "^(a+)+$"}).is_valid("a" * 50_000 + "b")


def test_an_older_draft_is_honoured() -> None:
    old = "http://json-schema.org/draft-07/schema#"
    validator = Validator({"$schema": old, "items": [{"type": "integer"}, {"type": "string"}]})
    assert validator.is_valid([1, "a"])
    assert not validator.is_valid(["a", 1])


def test_a_schema_object_is_compiled_once_and_kept() -> None:
    schema = {"type": "integer"}
    assert validator_for(schema) is validator_for(schema)
    assert validator_for(dict(schema)) is not validator_for(schema)
    # More schemas than are remembered: each keeps its own meaning.
    for limit in range(1_500):
        assert validator_for({"maximum": limit}).is_valid(limit)
        assert not validator_for({"maximum": limit}).is_valid(limit + 1)


def test_defaults_fill_what_is_absent() -> None:
    schema = {"properties": {"a": {"default": [1]}, "b": {}, "c": {"default": None}, "d": True}}
    filled = apply_defaults(schema, {"b": 2})
    assert filled == {"a": [1], "b": 2, "c": None}
    filled["a"].append(2)
    assert schema["properties"]["a"] == {"default": [1]}, "the schema's own default was changed"
    full = {"a": None, "c": 0}
    assert apply_defaults(schema, full) is full
    assert apply_defaults(schema, 5) == 5
    assert apply_defaults({}, full) is full


def test_the_encodings_of_this_house_fit_their_formats() -> None:
    from datetime import date, datetime, time, timedelta

    encoded = {
        "date-time": [datetime(2026, 1, 2, 3, 4, 5, 6)],
        "time": [time(1, 2, 3)],
        "date": [date(2026, 1, 2)],
        "duration": [
            timedelta(seconds=1.5),
            timedelta(days=-1),
            timedelta(),
            timedelta(days=3, microseconds=1),
        ],
    }
    for name, values in encoded.items():
        validator = Validator({"format": name})
        for value in values:
            assert validator.is_valid(encode_value(value)), (name, value)


def test_an_excerpt_is_as_short_as_it_is_told() -> None:
    assert excerpt({"a": [1, True, None, "x"]}) == '{"a": [1, true, null, "x"]}'
    assert excerpt({}) == "{}"
    assert excerpt([]) == "[]"
    for big in ("x" * 10**6, ["a"] * 10**6, {"k" * 10**6: 1}, [[[["ä"] * 500] * 500]]):
        assert len(excerpt(big)) == LONGEST_EXCERPT
        assert excerpt(big, 20).endswith("…")


# Each keyword: a schema, values that fit, values that do not.
GOLDEN: list[tuple[Any, list[Any], list[Any]]] = [
    (True, [1, None], []),
    (False, [], [1, None]),
    ({"type": "null"}, [None], [0, False, ""]),
    ({"type": "boolean"}, [True, False], [0, 1, "true", None]),
    ({"type": "integer"}, [0, -1, 5.0, 2**53 - 1], [5.5, "5", True, None]),
    ({"type": "number"}, [0, 5.5, 1e300], ["5", False]),
    ({"type": "string"}, ["", "ä"], [1, None]),
    ({"type": "array"}, [[], [1]], [{}, "[]"]),
    ({"type": "object"}, [{}, {"a": 1}], [[], "{}"]),
    ({"type": ["string", "null"]}, ["a", None], [1]),
    (
        {"enum": [1, "a", None, [1], {"a": 1}]},
        [1, 1.0, "a", None, [1], {"a": 1}],
        [True, "1", [2]],
    ),
    ({"const": {"a": [1]}}, [{"a": [1]}, {"a": [1.0]}], [{"a": [2]}, {}]),
    ({"const": False}, [False], [0, None]),
    ({"const": 0}, [0, 0.0, -0.0], [False]),
    ({"minimum": 3}, [3, 4, "2"], [2, 2.99]),
    ({"maximum": 3}, [3, 2, "4"], [4, 3.01]),
    ({"exclusiveMinimum": 3}, [3.01], [3]),
    ({"exclusiveMaximum": 3}, [2.99], [3]),
    ({"multipleOf": 3}, [0, 3, -6, 9.0], [1, 3.5]),
    ({"multipleOf": 0.01}, [0.01, 19.99, 4.35], [0.001, 19.999]),
    ({"minLength": 2}, ["ab", "😀😀", 1], ["a", "😀"]),
    ({"maxLength": 2}, ["ab", "😀😀"], ["abc"]),
    ({"pattern": "^a+$"}, ["a", "aa", 1], ["", "ab", "a\n"]),
    ({"pattern": "b"}, ["abc"], ["ac"]),
    ({"pattern": r"^\p{Lu}\d$"}, ["Ä1"], ["ä1", "A١"]),
    ({"format": "date"}, ["2026-02-28", 1], ["2026-02-30", "2026-2-1"]),
    (
        {"format": "date-time"},
        ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.123+01:00", "2026-01-02T03:04:05"],
        ["2026-01-02", "2026-01-02T25:00:00Z", "yesterday"],
    ),
    ({"format": "time"}, ["01:02:03Z", "01:02:03"], ["25:00:00", "1:2"]),
    (
        {"format": "duration"},
        ["P1D", "PT1H", "P3W", "PT1.5S", "-P1D"],
        ["P", "PT", "1D", "P1DT", "PT1.5H", "PT1.1234567S"],
    ),
    ({"format": "email"}, ["a@example.com"], ["a", "@example.com"]),
    ({"format": "uuid"}, ["12345678-1234-5678-1234-567812345678"], ["1234"]),
    ({"format": "uri"}, ["https://example.com/a?b#c"], ["example", "http://a b"]),
    ({"format": "ipv4"}, ["192.0.2.1"], ["192.0.2.256", "192.0.2"]),
    ({"format": "ipv6"}, ["2001:db8::1"], ["2001:db8::g"]),
    ({"format": "hostname"}, ["example.com"], ["-a-", "a b"]),
    ({"format": "regex"}, ["^a+$"], ["("]),
    ({"format": "json-pointer"}, ["", "/a~1b"], ["a", "/~2"]),
    ({"format": "a-format-of-nobody"}, ["x"], []),
    ({"minItems": 1}, [[1], {}], [[]]),
    ({"maxItems": 1}, [[1], []], [[1, 2]]),
    (
        {"uniqueItems": True},
        [[1, 2, True, [1], [2]], [{"a": 1}, {"a": 2}]],
        [[1, 1.0], [[1], [1]]],
    ),
    ({"items": {"type": "integer"}}, [[], [1, 2]], [[1, "a"]]),
    ({"prefixItems": [{"type": "integer"}], "items": False}, [[1], []], [["a"], [1, 2]]),
    ({"contains": {"type": "integer"}}, [["a", 1]], [[], ["a"]]),
    (
        {"contains": {"const": 1}, "minContains": 2, "maxContains": 3},
        [[1, 1], [1, 1, 1, 2]],
        [[1], [1] * 4],
    ),
    ({"unevaluatedItems": False, "prefixItems": [True]}, [[1]], [[1, 2]]),
    ({"properties": {"a": {"type": "integer"}}}, [{}, {"a": 1}, {"b": "x"}], [{"a": "x"}]),
    ({"required": ["a", "b"]}, [{"a": 1, "b": None}, []], [{"a": 1}, {}]),
    ({"additionalProperties": False, "properties": {"a": {}}}, [{}, {"a": 1}], [{"b": 1}]),
    ({"additionalProperties": {"type": "integer"}}, [{"a": 1}], [{"a": "x"}]),
    ({"patternProperties": {"^n_": {"type": "number"}}}, [{"n_a": 1, "b": "x"}], [{"n_a": "x"}]),
    ({"propertyNames": {"maxLength": 1}}, [{"a": 1}], [{"ab": 1}]),
    ({"minProperties": 1}, [{"a": 1}], [{}]),
    ({"maxProperties": 1}, [{"a": 1}], [{"a": 1, "b": 2}]),
    ({"dependentRequired": {"a": ["b"]}}, [{"b": 1}, {"a": 1, "b": 1}], [{"a": 1}]),
    ({"dependentSchemas": {"a": {"required": ["b"]}}}, [{}, {"a": 1, "b": 1}], [{"a": 1}]),
    (
        {"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": False},
        [{"a": 1}],
        [{"a": 1, "b": 2}],
    ),
    ({"allOf": [{"minimum": 1}, {"maximum": 2}]}, [1, 2], [0, 3]),
    ({"anyOf": [{"type": "string"}, {"minimum": 3}]}, ["a", 3], [2]),
    ({"oneOf": [{"multipleOf": 2}, {"multipleOf": 3}]}, [2, 3], [6, 1]),
    ({"not": {"type": "string"}}, [1, None], ["a"]),
    (
        {"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": {"required": ["c"]}},
        [{"a": 1, "b": 1}, {"c": 1}],
        [{"a": 1}, {}],
    ),
    ({"$ref": "#/$defs/n", "$defs": {"n": {"type": "integer"}}}, [1], ["a"]),
    ({"$ref": "#n", "$defs": {"n": {"$anchor": "n", "type": "integer"}}}, [1], ["a"]),
    (
        {"properties": {"next": {"$ref": "#"}}, "additionalProperties": False},
        [{"next": {"next": {}}}],
        [{"next": {"other": 1}}],
    ),
    (
        {"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"const": 1}}, "maximum": 5},
        [1],
        [2],
    ),
]


@pytest.mark.parametrize(("schema", "fit", "wrong"), GOLDEN, ids=range(len(GOLDEN)))
def test_each_keyword_means_what_the_standard_says(
    schema: Any, fit: list[Any], wrong: list[Any]
) -> None:
    validator = Validator(schema)
    for value in fit:
        assert validator.is_valid(value), (schema, value)
        validator.check(value)
    for value in wrong:
        assert not validator.is_valid(value), (schema, value)
        with pytest.raises(ValueInvalid):
            validator.check(value)
        assert validator.errors(value)
