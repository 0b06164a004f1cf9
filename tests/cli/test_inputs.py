"""`--input name=value` by the field's type, and text that a terminal only shows."""

from __future__ import annotations

from typing import Any

import pytest

from drawloom.cli.inputs import read_input
from drawloom.cli.terminal import duration, json_text, shown, size
from drawloom.errors import ValueInvalid


def schema(**fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "additionalProperties": False}


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ({"type": "integer"}, "3", 3),
        ({"type": "integer"}, "-3", -3),
        ({"type": "integer"}, "3.0", 3.0),
        ({"type": "number"}, "2.5", 2.5),
        ({"type": "boolean"}, "true", True),
        ({"type": "string"}, "3", "3"),
        ({"type": "string"}, "true", "true"),
        ({"type": "string"}, '{"a": 1}', '{"a": 1}'),
        ({"type": "string"}, "", ""),
        ({"type": "string"}, "a=b=c", "a=b=c"),
        ({"type": ["string", "null"]}, "null", None),
        ({"type": ["string", "integer"]}, "5", "5"),
        ({"type": "array"}, "[1, 2]", [1, 2]),
        ({"type": "object"}, '{"a": [true]}', {"a": [True]}),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "null", None),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "7", 7),
        ({"enum": [1, 2]}, "2", 2),
        ({"enum": ["1", "2"]}, "2", "2"),
        ({"const": 4}, "4", 4),
        ({}, "5", "5"),
        ({}, "[5]", [5]),
        ({"$ref": "#/$defs/n"}, "5", 5),
    ],
)
def test_a_text_becomes_what_its_field_takes(field: Any, text: str, value: Any) -> None:
    whole = {**schema(x=field), "$defs": {"n": {"type": "integer"}}}
    found = read_input([f"x={text}"], None, whole)["x"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("field", "text", "message"),
    [
        ({"type": "integer"}, "3.5", "'3.5' is not an integer"),
        ({"type": "integer"}, "many", "'many' is not an integer"),
        ({"type": "integer"}, "true", "'true' is not an integer"),
        ({"type": "number"}, "NaN", "'NaN' is not a number"),
        ({"type": "boolean"}, "yes", "'yes' is not true or false"),
        ({"type": "array"}, "a,b", "'a,b' is not a JSON list"),
        ({"type": "array"}, '{"a": 1}', "is not a JSON list"),
        ({"type": ["integer", "null"]}, "x", "is not an integer or null"),
    ],
)
def test_what_does_not_fit_names_the_field(field: Any, text: str, message: str) -> None:
    with pytest.raises(ValueInvalid) as caught:
        read_input([f"x={text}"], None, schema(x=field))
    assert str(caught.value).startswith("--input x: ")
    assert message in str(caught.value)


def test_a_large_integer_is_not_rounded() -> None:
    with pytest.raises(ValueInvalid):
        read_input(["x=9007199254740993"], None, schema(x={"type": "integer"}))


def test_control_sequences_are_shown_and_not_obeyed() -> None:
    text = "a\x1b[2Jb\x07\x9b31m\u202ec\x7f\r\nd"
    assert shown(text) == "a␛[2Jb␇\\u009b31m\\u202ec␡␍␊d"
    assert shown("a\nb", lines=True) == "a\nb"
    assert shown("naïve 東京 🎉") == "naïve 東京 🎉"
    written = json_text({"k\x9b": "\x1b\u202e"})
    assert not set(written) & {"\x1b", "\x9b", "\u202e"}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (0.0123, "12 ms"), (3.44, "3.4 s"), (125, "2 min 5 s"), (3780, "1 h 3 min")],
)
def test_durations_can_be_read(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(None, ""), (812, "812 B"), (3400, "3.4 kB"), (5_000_000_000_000, "5000.0 GB")],
)
def test_sizes_can_be_read(count: int | None, text: str) -> None:
    assert size(count) == text
