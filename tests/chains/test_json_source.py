from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drawloom.chains import load
from drawloom.chains.json_source import read_json_source
from drawloom.errors import ChainInvalid

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)  # fmt: skip


def refused(text: str | bytes) -> list[tuple[str, int | None, int | None]]:
    with pytest.raises(ChainInvalid) as caught:
        read_json_source(text)
    return [(f.code, f.line, f.column) for f in caught.value.findings]


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        ('{"a": 1,\n "a": 2}', "duplicate-key", 2, 2),
        ('{"a": NaN}', "json-syntax", 1, 7),
        ('{"a": -Infinity}', "json-syntax", 1, 7),
        ('{"a": 1e400}', "bad-number", 1, 7),
        ('{"a": 9007199254740992}', "bad-number", 1, 7),
        ('{"a": ' + "1" * 5000 + "}", "bad-number", 1, 7),
        ('{"a": "\\udc00"}', "lone-surrogate", 1, 7),
        ('{"a": 01}', "json-syntax", 1, 7),
        ('{"a": 1.}', "json-syntax", 1, 7),
        ('{"a": tru}', "json-syntax", 1, 7),
        ("{'a': 1}", "json-syntax", 1, 2),
        ('{"a": 1,}', "json-syntax", 1, 9),
        ('{"a" 1}', "json-syntax", 1, 6),
        ('{"a": }', "json-syntax", 1, 7),
        ("[1 2]", "json-syntax", 1, 4),
        ("[1, 2", "json-syntax", 1, 6),
        ("[1]]", "json-syntax", 1, 4),
        ('{"a": "x\ny"}', "json-syntax", 1, 7),
        ("", "json-syntax", 1, 1),
        ("[" * 100_000, "too-deep", 1, 65),
        ('{"a":' * 100_000, "too-deep", 1, 321),
        ("[" + "1," * 100_001 + "1]", "too-many-values", 1, 200_000),
        (b'"\xff"', "not-utf-8", 1, 2),
    ],
)
def test_bad_json_is_refused_where_it_stands(
    text: str | bytes, code: str, line: int, column: int
) -> None:
    assert refused(text) == [(code, line, column)]


@settings(deadline=None)
@given(JSON, st.sampled_from([None, 2, "\t"]))
def test_what_json_writes_is_read_back(value: object, indent: int | str | None) -> None:
    assert read_json_source(json.dumps(value, indent=indent))[0] == value


def test_a_chain_may_be_json() -> None:
    text = '{"chain": "a-b",\n\t"steps": {"x": {"use": "core.add"}}}'
    chain = load(text)
    assert chain.steps["x"].use == "core.add"
    assert chain.positions["/steps/x/use"] == (2, 25)


def test_the_name_of_the_file_decides_how_it_is_read() -> None:
    assert load("{chain: a, steps: {}}", file="a.yaml").name == "a"
    with pytest.raises(ChainInvalid, match="not JSON"):
        load("chain: a\nsteps: {}\n", file="a.json")
