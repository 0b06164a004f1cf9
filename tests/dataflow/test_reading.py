"""The strict JSON reader: I-JSON or a typed error that names the place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from drawloom.dataflow.values import LARGEST_INTEGER, canonical_json, encode_value, read_json
from drawloom.dataflow.values_reading import read_slowly
from drawloom.errors import ValueInvalid

REFUSED = [
    ('{"a": 1, "a": 2}', "/a", "line 1, column 10", "twice"),
    ('{"x": [{"b": 1,\n "b": 1}]}', "/x/0/b", "line 2, column 2", "twice"),
    ('{"a": 1, "\\u0061": 2}', "/a", "column 10", "twice"),
    ('{"a:": 1, "a\\u003a": 2}', "/a:", "column 11", "twice"),
    ('{"b": "\\u003a", "a": 1, "a": ":"}', "/a", "column 25", "twice"),
    ("[1, NaN]", "/1", "column 5", "NaN"),
    ("-Infinity", "", "column 1", "Infinity"),
    ("[1e400]", "/0", "column 2", "beyond a double"),
    ("[-1e400]", "/0", "column 2", "beyond a double"),
    ("9" * 5_000, "", "column 1", "more than 4300 digits"),
    ('{"n": [-' + "9" * 4_301 + "]}", "/n/0", "column 8", "more than 4300 digits"),
    ('["\\ud800"]', "/0", "column 2", "surrogate"),
    ('["\\udc00\\ud800"]', "/0", "column 2", "surrogate"),
    ('"\ud800"', "", "column 1", "surrogate"),
    (b'"\xed\xa0\x80"', "", "byte 1", "UTF-8"),
    (b'["a", "\xff"]', "", "byte 7", "UTF-8"),
    (b"\xff\xfe1\x00", "", "byte 0", "UTF-8"),
    (b"\xef\xbb\xbf{}", "", "column 1", "byte order mark"),
    ("\ufeff{}", "", "column 1", "byte order mark"),
    ("[" * 100_000, "", "column 202", "nested more than 200 deep"),
    ("[" * 100_000 + "]" * 100_000, "", "column 202", "nested more than 200 deep"),
    ('{"a":' * 201 + "1" + "}" * 201, "", "column 1002", "nested more than 200 deep"),
    ("", "", "column 1", "the end of the text"),
    ("[1,]", "/1", "column 4", "a value"),
    ("[1 2]", "/1", "column 4", "',' or ']'"),
    ('{"a" 1}', "/a", "column 6", "':'"),
    ("{'a': 1}", "", "column 2", "double quotes"),
    ('{"a": 1,}', "/a", "column 9", "double quotes"),
    ("[01]", "/1", "column 3", "',' or ']'"),
    ("[.5]", "/0", "column 2", "a value"),
    ("tru", "", "column 1", "a value"),
    ('"a\nb"', "", "line 1, column 3", "control character"),
    ('"\\x"', "", "column", "escape"),
    ('"abc', "", "column 1", "Unterminated"),
    ("{} {}", "", "column 4", "follows the end"),
    ('{"a": 1]', "/a", "column 8", "',' or '}'"),
]


@pytest.mark.parametrize(("text", "path", "where", "said"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_i_json_is_refused_with_its_place(
    text: str | bytes, path: str, where: str, said: str
) -> None:
    with pytest.raises(ValueInvalid) as raised:
        read_json(text, source="order.json")
    message = str(raised.value)
    assert raised.value.path.startswith(path)
    assert "order.json" in message
    assert where in message
    assert said in message
    assert len(message) < 400
    assert raised.value.__cause__ is None


def test_integers_beyond_a_double_become_strings_exactly() -> None:
    text = f'{{"a": {2**53 - 1}, "b": [{2**53}, {-(2**64)}], "c": {10**4_299}, "d": -0}}'
    expected = {
        "a": 2**53 - 1,
        "b": [str(2**53), str(-(2**64))],
        "c": "1" + "0" * 4_299,
        "d": 0,
    }
    assert read_json(text) == expected
    assert read_json(text.encode()) == expected
    assert read_json(str(2**70)) == str(2**70)


def test_an_escaped_colon_is_no_duplicate() -> None:
    assert read_json('{"a\\u003a": "\\u003A:", "b": 1}') == {"a:": "::", "b": 1}


def test_limits_are_settings() -> None:
    assert read_json("[[1]]", max_depth=2, max_bytes=5) == [[1]]
    with pytest.raises(ValueInvalid, match="nested more than 1 deep"):
        read_json("[[1]]", max_depth=1)
    with pytest.raises(ValueInvalid, match=r"big\.json: over 4 bytes"):
        read_json(b"[[1]]", max_bytes=4, source="big.json")
    assert read_json("[" * 200 + "]" * 200, max_depth=10_000) is not None


LARGE = '"' + "x" * (4 * 1024 * 1024) + '"'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f'{{"x": {LARGE}, "a": 1, "a": 2}}', "'a' stands there twice"),
        (f"[{LARGE}, NaN]", "NaN"),
        (f"[{LARGE}, 1e999]", "/1"),
        (f'[{LARGE}, "\\ud800"]', "/1"),
        (f"[{LARGE}, 1", "line 1"),
        (f"[{LARGE}, {'[' * 5_000}{']' * 5_001}", "nested more than 200 deep"),
        (f"[{LARGE}, {'9' * 5_000}]", "digits"),
    ],
    ids=range(7),
)
def test_a_large_text_is_refused_too(text: str, said: str) -> None:
    with pytest.raises(ValueInvalid, match=said):
        read_json(text)


SNIPPETS = st.sampled_from(
    [
        *'{}[],:" \n-+.eE0123456789',
        '"a"',
        '"a":',
        '"\\u003a"',
        "null",
        "true",
        "1e5",
        "\\",
        "ä",
        "\x01",
    ]
)


@given(st.lists(SNIPPETS, max_size=12).map("".join))
@example('{"a":1,"a":":"}')
@settings(deadline=None, max_examples=500)
def test_both_readers_agree_on_any_text(text: str) -> None:
    assert outcome(read_json, text) == outcome(lambda t: read_slowly(t, 200, ""), text)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from("ab:c"), inner),
    max_leaves=15,
)


@given(JSON, st.booleans())
@settings(deadline=None)
def test_reading_is_what_the_standard_library_reads_encoded(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    expected = encode_value(json.loads(text))
    assert read_json(text) == expected
    assert read_json(text.encode()) == expected
    assert read_slowly(text, 200, "") == expected


@given(st.integers(LARGEST_INTEGER - 3, LARGEST_INTEGER + 3), st.sampled_from([1, -1]))
@settings(deadline=None)
def test_the_border_of_exact_integers(number: int, sign: int) -> None:
    read = read_json(f"[{sign * number}]")[0]
    assert read == (sign * number if number <= LARGEST_INTEGER else str(sign * number))


def outcome(reader: Any, text: str) -> Any:
    try:
        return canonical_json(reader(text))
    except ValueInvalid:
        return "refused"
