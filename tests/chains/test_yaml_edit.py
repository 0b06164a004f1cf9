from __future__ import annotations

import copy
import difflib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drawloom.chains.plain_edits import GONE, edited, find
from drawloom.chains.yaml_edit import YamlDocument
from drawloom.chains.yaml_source import read_yaml
from drawloom.errors import ChainInvalid, ValueInvalid

CHAIN = """\
# head
chain: late-orders   # the name
version: "1.2.0"

input:
  # days back
  days: {type: integer, default: 30} # flow

steps:
  # first
  late:
    use: postgresql.query   # a tool
    with:
      sql: |
        select 1
        from x
      args: ["${input.days}", 'b']   # args
    # before when
    when: a > 3

  big:
    use: core.transform
    with: # the input
      value: 3
    x-odd: [1,   2]
    ui:
# tail
list:
- a
-   b: 1 # one
    c: 2
- c
"""
CORPUS = [
    CHAIN,
    "a: 1",
    "a: {}\n",
    "# only\na:   'it''s'\r\nb: \"x\\ty\"\r\n",
    "---\na: >-\n  folded\n  text\n\nb: |+\n  kept\n\n\nc: 1\n...\n",
    "a:\n    b:\n        - 1\n        # between\n        - {x: 1,\n           y: [2, 3]}\n    c: ~\n",
    "{a: 1, b: [1, {c: 2}], 'd e': null}\n",
    "a: &x [1, 2]\nb: *x\nc: &y z\n",
    "'a/b~c': 1\n? complex\n: 2\n",
    "- - 1\n  - 2\n-\n- a: 1\n  b:\n- x\n",
]


def changed(before: str, after: str) -> list[str]:
    """The lines that went (-), and then those that came (+)."""
    lines = list(difflib.ndiff(before.split("\n"), after.split("\n")))
    return [line for sign in "-+" for line in lines if line[0] == sign]


@pytest.mark.parametrize("text", CORPUS)
def test_a_text_that_nobody_edited_is_the_very_same(text: str) -> None:
    document = YamlDocument.parse(text)
    assert document.text == text
    for name, value in document.data.items() if isinstance(document.data, dict) else ():
        document.set(f"/{name.replace('~', '~0').replace('/', '~1')}", value)
    assert document.text == text


@pytest.mark.parametrize(
    ("pointer", "value", "lines"),
    [
        ("/version", "1.3.0", ['- version: "1.2.0"', '+ version: "1.3.0"']),
        ("/chain", "x", ["- chain: late-orders   # the name", "+ chain: x   # the name"]),
        ("/input/days/default", 31, [
            "-   days: {type: integer, default: 30} # flow",
            "+   days: {type: integer, default: 31} # flow",
        ]),
        ("/input/days/title", "a: b", [
            "-   days: {type: integer, default: 30} # flow",
            '+   days: {type: integer, default: 30, title: "a: b"} # flow',
        ]),
        ("/steps/late/with/sql", "select 2\nfrom x\n", ["-         select 1", "+         select 2"]),
        ("/steps/late/with/sql", "select 2", [
            "-       sql: |", "-         select 1", "-         from x", "+       sql: select 2",
        ]),
        ("/steps/late/with/args/0", "true", [
            "-       args: [\"${input.days}\", 'b']   # args",
            "+       args: [\"true\", 'b']   # args",
        ]),
        ("/steps/late/with/args/1", "it's", [
            "-       args: [\"${input.days}\", 'b']   # args",
            "+       args: [\"${input.days}\", 'it''s']   # args",
        ]),
        ("/steps/late/timeout", "5m", ['+     timeout: "5m"']),
        ("/steps/big/with", "${item}", [
            "-     with: # the input", "-       value: 3", '+     with: "${item}" # the input',
        ]),
        ("/steps/big/with", {"value": 3, "more": [1]}, ["+       more: [1]"]),
        ("/steps/big/ui", {"x": 1}, ["-     ui:", "+     ui: {x: 1}"]),
        ("/steps/new", {"use": "a.b", "with": {"a": [{"b": {"c": 1}}]}}, [
            "+   new:", "+     use: a.b", "+     with:", "+       a:", "+         - b: {c: 1}",
        ]),
        ("/list/0", {"b": {"c": [1]}}, ["- - a", "+ - b:", "+     c: [1]"]),
        ("/list", ["a", {"b": 2, "c": 2}], [
            "- -   b: 1 # one", "- - c", "+ -   b: 2 # one",
        ]),
    ],
)  # fmt: skip
def test_setting_a_value_touches_its_lines_only(
    pointer: str, value: Any, lines: list[str]
) -> None:
    document = YamlDocument.parse(CHAIN)
    document.set(pointer, value)
    assert changed(CHAIN, document.text) == lines
    assert find(document.data, pointer) == value


@pytest.mark.parametrize(
    ("pointer", "lines"),
    [
        ("/version", ['- version: "1.2.0"']),
        ("/steps/late/with/args/0", [
            "-       args: [\"${input.days}\", 'b']   # args", "+       args: ['b']   # args",
        ]),
        ("/steps/late/when", ["-     when: a > 3"]),
        ("/steps/big/ui", ["-     ui:"]),
        ("/steps/big/with/value", [
            "-     with: # the input", "-       value: 3", "+     with: {} # the input",
        ]),
        ("/list/1", ["- -   b: 1 # one", "-     c: 2"]),
        ("/input/days/type", [
            "-   days: {type: integer, default: 30} # flow", "+   days: {default: 30} # flow",
        ]),
    ],
)  # fmt: skip
def test_removing_takes_its_lines_only(pointer: str, lines: list[str]) -> None:
    document = YamlDocument.parse(CHAIN)
    document.remove(pointer)
    assert changed(CHAIN, document.text) == lines


@pytest.mark.parametrize(
    ("pointer", "value", "lines"),
    [
        ("/list/0", "z", ["+ - z"]),
        ("/list/-", {"a": 1, "b": {"c": [[1]]}}, ["+ - a: 1", "+   b:", "+     c:", "+       - [1]"]),
        ("/steps/late/with/args/-", 5, [
            "-       args: [\"${input.days}\", 'b']   # args",
            "+       args: [\"${input.days}\", 'b', 5]   # args",
        ]),
        ("/steps/late/note", "a\nb\n", ["+     note: |", "+       a", "+       b"]),
    ],
)  # fmt: skip
def test_inserting_adds_its_lines_only(pointer: str, value: Any, lines: list[str]) -> None:
    document = YamlDocument.parse(CHAIN)
    document.insert(pointer, value)
    assert changed(CHAIN, document.text) == lines


def test_windows_line_ends_stay() -> None:
    document = YamlDocument.parse("a:\r\n  b: 1\r\nc: 2\r\n")
    document.set("/a/d", {"e": [[1]]})
    document.set("/c", 3)
    assert document.text == "a:\r\n  b: 1\r\n  d:\r\n    e:\r\n      - [1]\r\nc: 3\r\n"


def test_the_indentation_of_the_text_is_used() -> None:
    document = YamlDocument.parse("steps:\n    a:\n        use: x.y\n")
    document.set("/steps/b", {"use": "x.y", "with": {"a": {"b": {"c": 1}}}})
    assert document.text.endswith(
        "    b:\n        use: x.y\n        with:\n            a:\n                b: {c: 1}\n"
    )


@pytest.mark.parametrize("text", ["true", "12", "null", "a: b", "- x", "#c", " x ", "é\u2028", "on",
                                  "'", '"', "\x7f", "a\tb", "\n", "", "1.2.0", "~", "*a", "NaN"])  # fmt: skip
@pytest.mark.parametrize("place", ["/plain", "/single", "/double", "/flow/0", "/block", "/new"])
def test_any_text_can_be_written_anywhere(text: str, place: str) -> None:
    document = YamlDocument.parse(
        "plain: a # c\nsingle: 'b'\ndouble: \"c\"\nflow: [d, e]\nblock: |\n  f\n  g\nend: 1\n"
    )
    document.set(place, text)
    assert find(read_yaml(document.text)[0], place) == text
    assert document.text.startswith("plain: ")
    assert " # c\n" in document.text


def test_an_edit_that_an_alias_would_spread_is_refused_and_changes_nothing() -> None:
    document = YamlDocument.parse("a: &x {k: 1}\nb: *x\n")
    with pytest.raises(ValueInvalid, match="alias"):
        document.set("/a/k", 2)
    assert document.text == "a: &x {k: 1}\nb: *x\n"
    document.set("/b", 5)
    assert document.text == "a: &x {k: 1}\nb: 5\n"


@pytest.mark.parametrize(
    ("what", "pointer"), [("remove", "/nope"), ("remove", ""), ("insert", "/chain"),
                          ("insert", "/chain/x"), ("insert", "/a/b"), ("set", "/a/b")],
)  # fmt: skip
def test_a_place_that_is_not_there_is_a_typed_error(what: str, pointer: str) -> None:
    document = YamlDocument.parse(CHAIN)
    with pytest.raises(ValueInvalid):
        getattr(document, what)(pointer, *(() if what == "remove" else (1,)))
    assert document.text == CHAIN


def test_a_text_that_the_loader_refuses_cannot_be_edited() -> None:
    with pytest.raises(ChainInvalid):
        YamlDocument.parse("a: 1\na: 2\n")


def pointers(data: Any, at: str = "") -> list[str]:
    inner: Any = data.items() if isinstance(data, dict) else ()
    inner = enumerate(data) if isinstance(data, list) else inner
    below = [
        p
        for k, v in inner
        for p in pointers(v, f"{at}/{str(k).replace('~', '~0').replace('/', '~1')}")
    ]
    return [at, *below] if at else below


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab #:-'\"\n[]{}", max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([c for c in CORPUS if "&x" not in c]), st.data())
def test_any_edits_in_a_row_give_exactly_the_data_that_was_asked_for(
    text: str, data: st.DataObject
) -> None:
    document = YamlDocument.parse(text)
    for _ in range(3):
        places = pointers(document.data)
        if not places:
            return
        pointer = data.draw(st.sampled_from(places))
        what = data.draw(st.sampled_from(["set", "remove"]))
        value = GONE if what == "remove" else data.draw(VALUES)
        expected = edited(copy.deepcopy(document.data), pointer, value, what)
        comments = [line.strip() for line in document.text.split("\n") if line.startswith("#")]
        if what == "set":
            document.set(pointer, value)
        else:
            document.remove(pointer)
        assert read_yaml(document.text)[0] == expected
        assert document.data == expected
        assert all(comment in document.text for comment in comments)
