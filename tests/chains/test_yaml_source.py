from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from drawloom.chains.reading import Limits
from drawloom.chains.yaml_source import read_yaml
from drawloom.errors import ChainInvalid


def refused(text: str | bytes, **options: object) -> list[tuple[str, int | None, int | None]]:
    with pytest.raises(ChainInvalid) as caught:
        read_yaml(text, **options)  # type: ignore[arg-type]
    return [(f.code, f.line, f.column) for f in caught.value.findings]


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        ("a: 1\nb:\n  c: 1\n  c: 2\n", "duplicate-key", 4, 3),
        ("a: 1\n'a': 2\n", "duplicate-key", 2, 1),
        ("a: !!python/object:os.system x\n", "yaml-tag", 1, 4),
        ("a: !secret x\n", "yaml-tag", 1, 4),
        ("x: &x {b: 1}\na:\n  <<: *x\n", "merge-key", 3, 3),
        ("1: a\n", "key-not-text", 1, 1),
        ("true: a\n", "key-not-text", 1, 1),
        ("? [a]\n: b\n", "key-not-text", 1, 3),
        ("a: .nan\n", "bad-number", 1, 4),
        ("a: [1, -.inf]\n", "bad-number", 1, 8),
        ("a: NaN\n", "bad-number", 1, 4),
        ("a: 1e999\n", "bad-number", 1, 4),
        ("a: 9007199254740992\n", "bad-number", 1, 4),
        ("a: -9007199254740992\n", "bad-number", 1, 4),
        ("a: " + "9" * 5000 + "\n", "bad-number", 1, 4),
        ("a: 0x" + "f" * 20 + "\n", "bad-number", 1, 4),
        ('a: "\\ud800"\n', "lone-surrogate", 1, 4),
        ("a: 1\n---\nb: 2\n", "several-documents", 2, 1),
        ("a: *nope\n", "bad-alias", 1, 4),
        ("a: &x [*x]\n", "bad-alias", 1, 8),
        ("a:\n\tb: 1\n", "yaml-syntax", 2, 1),
        ("a: b: c\n", "yaml-syntax", 1, 5),
        ("a: [1, 2\n", "yaml-syntax", 2, 1),
        ("a: 'x\n", "yaml-syntax", 2, 1),
        ("a: \x07\n", "bad-character", 1, 4),
        ("%YAML 1.1\n---\na: yes\n", "bad-directive", 1, 1),
        (b"ab: \xff", "not-utf-8", 1, 5),
        (b"a: 1\nb: \xc3", "not-utf-8", 2, 4),
    ],
)
def test_bad_yaml_is_refused_where_it_stands(
    text: str | bytes, code: str, line: int, column: int
) -> None:
    assert refused(text) == [(code, line, column)]


def test_all_faults_of_a_readable_text_come_at_once() -> None:
    text = "a: .inf\na: 1\n2: x\nb: !t y\n"
    assert [code for code, _, _ in refused(text)] == [
        "bad-number", "duplicate-key", "key-not-text", "yaml-tag",
    ]  # fmt: skip


def test_a_duplicate_names_the_place_of_the_first() -> None:
    with pytest.raises(ChainInvalid, match=r"first one is at line 1, column 1"):
        read_yaml("a: 1\nb: 2\na: 3\n")


def test_a_big_integer_comes_with_advice_to_quote_it() -> None:
    with pytest.raises(ChainInvalid) as caught:
        read_yaml("a: 12345678901234567890\n")
    assert caught.value.findings[0].suggestion == 'write it in quotes: "12345678901234567890"'


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "a:\n", "? "])
def test_a_depth_of_100_000_is_a_typed_error(opening: str) -> None:
    text = opening * 100_000
    if opening == "a:\n":
        text = "".join(" " * n + "a:\n" for n in range(1_000))
    assert refused(text)[0][0] in ("too-deep", "key-not-text")


def test_the_depth_limit_itself_is_still_read() -> None:
    read_yaml("[" * 64 + "]" * 64)
    assert refused("[" * 65 + "]" * 65) == [("too-deep", 1, 65)]


def test_aliases_count_for_depth() -> None:
    text = "a: &a " + "[" * 40 + "]" * 40 + "\nb: " + "[" * 40 + "*a" + "]" * 40
    assert refused(text)[0][0] == "too-deep"


def test_aliases_that_explode_are_stopped_before_they_are_expanded() -> None:
    bomb = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30)
    )
    assert refused(bomb)[0][0] == "too-many-values"


def test_bytes_are_limited_before_anything_is_parsed() -> None:
    assert refused(b"a: " + b"x" * (1 << 20)) == [("too-large", 1, 1)]
    assert refused("é" * 10, limits=Limits(bytes=19)) == [("too-large", 1, 1)]
    assert read_yaml("é" * 10, limits=Limits(bytes=20))[0] == "é" * 10


def test_an_alias_is_a_copy_of_its_own() -> None:
    data, _ = read_yaml("a: &x {l: [1]}\nb: *x\n")
    data["a"]["l"].append(2)
    assert data["b"] == {"l": [1]}


def test_scalars_are_those_of_the_core_schema_of_yaml_1_2() -> None:
    text = (
        "[on, yes, No, 012, 0o14, 0xC, 1_000, 1:30, 2024-01-01, ~, null, TRUE, 1e3, .5, +7, "
        "'1', \"true\", 1.2.0, =, '']"
    )
    data, _ = read_yaml(text)
    assert data == [
        "on", "yes", "No", 12, 12, 12, "1_000", "1:30", "2024-01-01", None, None, True, 1000.0,
        0.5, 7, "1", "true", "1.2.0", "=", "",
    ]  # fmt: skip
    assert type(data[12]) is float


def test_a_surrogate_pair_is_one_character_and_a_byte_order_mark_is_nothing() -> None:
    assert read_yaml('\ufeffa: "\\ud83d\\ude00"'.encode())[0] == {"a": "😀"}


def test_places_are_lines_and_columns_of_values_and_keys() -> None:
    _, source = read_yaml("a:\n  - b: 'x'\n    c~/d: &k y\n")
    assert source.place("/a/0/b") == (2, 8)
    assert source.place("/a/0/c~0~1d") == (3, 14)
    assert source.place("/a/0/c~0~1d", key=True) == (3, 5)
    assert source.place("/a/0/nope") == (2, 5)


@pytest.mark.parametrize(
    ("text", "word", "line", "column"),
    [
        ("a: one two\n", "two", 1, 8),
        ("a: 'it''s two'\n", "two", 1, 11),
        ('a: "tab\\t \\u00e9 two"\n', "two", 1, 18),
        ('a: "\\ud83d\\ude00 two"\n', "two", 1, 18),
        ("a: |\n  one\n\n   in\n  two\n", "two", 5, 3),
        ("a: >-\n  one\n  and two\n", "two", 3, 7),
        ("a: >\n  one\n\n  two\n", "two", 4, 3),
        ("a: one\n  and\n  two\n", "two", 3, 3),
        ('a: "one\n\n  two"\n', "two", 3, 3),
        ('a: "one \\\n  two"\n', "two", 2, 3),
        ("a: &x one two\n", "two", 1, 11),
    ],
)
def test_a_character_inside_a_text_is_found_where_it_is_written(
    text: str, word: str, line: int, column: int
) -> None:
    data, source = read_yaml(text)
    assert source.within("/a", data["a"].index(word)) == (line, column)


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Co"])),
        lambda inner: st.lists(inner, max_size=4)
        | st.dictionaries(st.text("abcdef0~/ -", min_size=1, max_size=5), inner, max_size=4),
        max_leaves=12,
    )
)  # fmt: skip
def test_json_written_as_yaml_is_read_as_json(value: object) -> None:
    import json

    text = json.dumps(value, ensure_ascii=False)
    if len(text) > 900:  # a key of over 1,024 characters is no simple key in YAML
        return
    assert read_yaml(text)[0] == value


@settings(deadline=None)
@given(st.text("ab:#-?[]{}&*!|>'\"% \n\t\\0x.,~", max_size=40))
def test_no_text_gives_anything_but_data_or_findings(text: str) -> None:
    try:
        data, _ = read_yaml(text)
    except ChainInvalid as exc:
        assert exc.findings
        assert all(f.line and f.column for f in exc.findings)
        return
    reference = YAML(typ="safe", pure=True).load(text)
    if isinstance(data, str) and isinstance(reference, str):
        assert data == reference
