"""Joins equal nested loops; merge, concat and zip lose nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drawloom.dataflow import aggregation_joins
from drawloom.dataflow.aggregation_joins import concat, join, merge, zip_rows
from drawloom.errors import ValueInvalid

LEFT: list[dict[str, Any]] = [
    {"id": 1, "who": 7},
    {"id": 2, "who": 8},
    {"id": 3, "who": 7},
    {"id": 4, "who": None},
]
RIGHT: list[dict[str, Any]] = [
    {"who": 7, "name": "a"},
    {"who": 9, "name": "b"},
    {"who": None, "name": "c"},
]


def test_inner_left_and_full() -> None:
    inner = [{"id": 1, "who": 7, "name": "a"}, {"id": 3, "who": 7, "name": "a"}]
    assert join(LEFT, RIGHT, "who") == inner
    left = [
        inner[0],
        {"id": 2, "who": 8, "name": None},
        inner[1],
        {"id": 4, "who": None, "name": None},
    ]
    assert join(LEFT, RIGHT, ["who"], "left") == left
    assert join(LEFT, RIGHT, {"who": "who"}, "full") == [
        *left,
        {"id": None, "who": 9, "name": "b"},
        {"id": None, "who": None, "name": "c"},
    ]


def test_fields_of_other_names_and_dotted_paths() -> None:
    right = [{"id": 7, "at": {"land": "SE"}}]
    assert join(LEFT[:1], right, {"who": "id"}, suffix="_2") == [
        {"id": 1, "who": 7, "id_2": 7, "at": {"land": "SE"}}
    ]
    assert join([{"x": "SE"}], right, {"x": "at.land"}) == [
        {"x": "SE", "id": 7, "at": {"land": "SE"}}
    ]


def test_an_empty_side() -> None:
    assert join([], RIGHT, "who", "left") == []
    assert join(LEFT[:1], [], "who", "left") == LEFT[:1]
    assert join([], RIGHT[:1], "who", "full") == [{"who": 7, "name": "a"}]
    assert join([], RIGHT[:1], {"person": "who"}, "full") == [{"who": 7, "name": "a"}]


WRONG: list[tuple[Any, Any, Any, str, str]] = [
    (LEFT, [{"name": "a"}], "who", "/right/0", "no field 'who'"),
    ([{"id": 1}], RIGHT, "who", "/left/0", "no field 'who'"),
    ([5], RIGHT, "who", "/left/0", "must be an object"),
    ([{"who": 7, "name": "x"}], RIGHT, "who", "", "both sides have a field 'name'"),
    (LEFT, RIGHT, [], "", "at least one field"),
]


@pytest.mark.parametrize(("left", "right", "on", "path", "said"), WRONG, ids=range(len(WRONG)))
def test_what_cannot_be_joined_is_refused(
    left: Any, right: Any, on: Any, path: str, said: str
) -> None:
    with pytest.raises(ValueInvalid, match=said) as raised:
        join(left, right, on)
    assert raised.value.path == path


def test_a_suffix_must_make_a_new_name() -> None:
    row = {"k": 1, "a": 1}
    assert join([row], [row], "k", suffix="_r") == [{"k": 1, "a": 1, "a_r": 1}]
    for taken in ([{**row, "a_r": 0}], [row]):
        with pytest.raises(ValueInvalid, match="both sides"):
            join(taken, [{**row, "a_r": 0}], "k", suffix="_r")


def test_a_join_that_explodes_is_refused_and_never_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aggregation_joins, "MOST_ROWS", 100)
    rows = [{"k": 1}] * 10
    assert len(join(rows, rows, "k")) == 100
    with pytest.raises(ValueInvalid, match="more than 100 rows"):
        join(rows, [*rows, {"k": 1}], "k")


KEYS = st.sampled_from([1, 1.0, True, "1", None, 2])
SIDE = st.lists(st.tuples(KEYS, KEYS), max_size=8)


def same(one: Any, other: Any) -> bool:
    return one is not None and one == other and isinstance(one, bool) == isinstance(other, bool)


@given(SIDE, SIDE, st.sampled_from(["inner", "left", "full"]))
@settings(deadline=None)
def test_a_join_equals_nested_loops(left: Any, right: Any, how: Any) -> None:
    ours = [{"a": a, "b": b, "l": i} for i, (a, b) in enumerate(left)]
    theirs = [{"a": a, "b": b, "r": i} for i, (a, b) in enumerate(right)]
    expected, met = [], set()
    for one in ours:
        hits = [o for o in theirs if same(one["a"], o["a"]) and same(one["b"], o["b"])]
        met |= {other["r"] for other in hits}
        expected += [(one["l"], other["r"]) for other in hits]
        if not hits and how != "inner":
            expected.append((one["l"], None))
    if how == "full":
        expected += [(None, other["r"]) for other in theirs if other["r"] not in met]
    made = join(ours, theirs, ["a", "b"], how)
    assert [(row.get("l"), row.get("r")) for row in made] == expected


def test_merge_keeps_the_later_value_and_the_first_order() -> None:
    lists = [
        [{"id": 1, "a": 1}, {"id": 2, "a": 2}],
        [{"id": 2, "a": 9, "b": 2}, {"id": 3}],
    ]
    assert merge(lists, "id") == [{"id": 1, "a": 1}, {"id": 2, "a": 9, "b": 2}, {"id": 3}]
    assert lists[0][1] == {"id": 2, "a": 2}, "the input was changed"
    assert merge(lists, ["id", "a"][:1]) == merge(lists, "id")
    assert merge([], "id") == []
    for row, said in (({"a": 1}, "no field 'id'"), ({"id": None}, "is null")):
        with pytest.raises(ValueInvalid, match=said) as raised:
            merge([[], [{"id": 1}, row]], "id")
        assert raised.value.path == "/1/1"


def test_concat_and_zip() -> None:
    assert concat([[1], [], [[2]], ["3"]]) == [1, [2], "3"]
    assert concat([]) == []
    assert zip_rows({"a": [1, 2], "b": ["x", "y"]}) == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    assert zip_rows({}) == []
    with pytest.raises(ValueInvalid, match="a has 1, b has 2"):
        zip_rows({"a": [1], "b": [1, 2]})
