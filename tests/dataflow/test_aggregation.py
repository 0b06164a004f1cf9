"""Grouping and adding up: equal to the naive computation, and never silent."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drawloom.dataflow.aggregation import aggregate, field_of
from drawloom.dataflow.values import UNDEFINED
from drawloom.errors import ValueInvalid

ROWS: list[dict[str, Any]] = [
    {"c": {"land": "SE"}, "n": 3, "who": "a"},
    {"c": {"land": "NO"}, "n": 1.5, "who": "b"},
    {"c": {"land": "SE"}, "n": 5, "who": "a"},
]


def test_groups_stand_in_the_order_first_seen() -> None:
    made = aggregate(ROWS, ["c.land"], {"rows": "count", "total": {"sum": "n"}})
    assert made == [
        {"land": "SE", "rows": 2, "total": 8},
        {"land": "NO", "rows": 1, "total": 1.5},
    ]


OPERATIONS: list[tuple[str, Any, Any]] = [
    ("sum", 9.5, 0),
    ("min", 1.5, None),
    ("max", 5, None),
    ("avg", 9.5 / 3, None),
    ("count", 3, 0),
    ("count_distinct", 3, 0),
    ("first", 3, None),
    ("last", 5, None),
    ("list", [3, 1.5, 5], []),
]


@pytest.mark.parametrize(("operation", "of_rows", "of_nothing"), OPERATIONS)
def test_each_operation_of_all_rows_and_of_none(
    operation: str, of_rows: Any, of_nothing: Any
) -> None:
    assert aggregate(ROWS, [], {"v": {operation: "n"}}) == [{"v": of_rows}]
    assert aggregate([], [], {"v": {operation: "n"}}) == [{"v": of_nothing}]
    assert aggregate([], ["c"], {"v": {operation: "n"}}) == []


def test_groups_can_be_named_and_be_several() -> None:
    made = aggregate(ROWS, {"land": "c.land", "person": "who"}, {"n": "count"})
    assert made == [
        {"land": "SE", "person": "a", "n": 2},
        {"land": "NO", "person": "b", "n": 1},
    ]


def test_values_are_the_same_where_json_says_so() -> None:
    rows = [{"k": v} for v in (1, 1.0, True, "1", None, None, [1], [1.0], {"a": 1}, {"a": True})]
    made = aggregate(rows, ["k"], {"n": "count"})
    assert [(row["k"], row["n"]) for row in made] == [
        (1, 2),
        (True, 1),
        ("1", 1),
        (None, 2),
        ([1], 2),
        ({"a": 1}, 1),
        ({"a": True}, 1),
    ]
    assert aggregate(rows, [], {"n": {"count_distinct": "k"}, "c": {"count": "k"}}) == [
        {"n": 7, "c": 8}
    ]


WRONG: list[tuple[Any, Any, str, str]] = [
    ([{"n": 1}, {"n": "2"}], {"sum": "n"}, "/1/n", "is a str; convert it first"),
    ([{"n": "2"}], {"max": "n"}, "/0/n", "convert it first"),
    ([{"n": True}], {"avg": "n"}, "/0/n", "is a bool"),
    ([{"n": None}], {"min": "n"}, "/0/n", 'is null; say missing: "skip"'),
    ([{"n": 1}, {}], {"sum": "n"}, "/1", "no field 'n'"),
    ([{}], {"first": "n"}, "/0", "no field 'n'"),
    ([{"n": 1}, 5], {"sum": "n"}, "/1", "must be an object"),
    ([], {"median": "n"}, "/v", "the operation one of avg, count"),
    ([], {"sum": "a", "min": "a"}, "/v", "operation"),
    ([], "sum", "/v", "operation"),
]


@pytest.mark.parametrize(("rows", "measure", "path", "said"), WRONG, ids=range(len(WRONG)))
def test_what_cannot_be_computed_names_the_row(
    rows: Any, measure: Any, path: str, said: str
) -> None:
    with pytest.raises(ValueInvalid) as raised:
        aggregate(rows, [], {"v": measure})
    assert raised.value.path == path
    assert said in raised.value.reason


def test_skip_passes_over_the_absent_and_never_over_text() -> None:
    rows = [{"k": 1, "n": 1}, {"k": 1, "n": None}, {"k": 1}, {"n": 9}]
    made = aggregate(rows, ["k"], {"s": {"sum": "n"}, "r": "count", "l": {"list": "n"}}, "skip")
    assert made == [{"k": 1, "s": 1, "r": 3, "l": [1, None]}]
    with pytest.raises(ValueInvalid, match="no field 'k'"):
        aggregate(rows, ["k"], {})
    with pytest.raises(ValueInvalid, match="convert it first"):
        aggregate([{"n": "1"}], [], {"s": {"sum": "n"}}, "skip")


def test_names_must_not_clash() -> None:
    with pytest.raises(ValueInvalid, match="two groups are called 'id'"):
        aggregate([], ["a.id", "b.id"], {})
    with pytest.raises(ValueInvalid, match="'n' is both a group and a value"):
        aggregate([], ["n"], {"n": "count"})


def test_a_whole_name_comes_before_a_path() -> None:
    assert field_of({"a.b": 1, "a": {"b": 2}}, "a.b") == 1
    assert field_of({"a": {"b": 2}}, "a.b") == 2
    assert field_of({"a": [1]}, "a.0") is UNDEFINED
    assert field_of(5, "a") is UNDEFINED


def test_sums_are_exact() -> None:
    top = 2**53 - 1
    assert aggregate([{"n": top}] * 3, [], {"s": {"sum": "n"}}) == [{"s": str(3 * top)}]
    assert aggregate([{"n": 0.1}] * 10, [], {"s": {"sum": "n"}}) == [{"s": 1.0}]
    mixed = [{"n": n} for n in (top, 2, -float(2**53))]
    assert aggregate(mixed, [], {"s": {"sum": "n"}}) == [{"s": 1.0}]
    with pytest.raises(ValueInvalid, match="beyond"):
        aggregate([{"n": 1.7e308}] * 2, [], {"s": {"sum": "n"}})


NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-1e15, 1e15)


@given(st.lists(st.tuples(st.sampled_from(["x", "y", None, 1]), NUMBERS), max_size=30))
@settings(deadline=None)
def test_it_equals_the_naive_computation(pairs: list[tuple[Any, Any]]) -> None:
    rows = [{"k": key, "n": number} for key, number in pairs]
    made = aggregate(
        rows,
        ["k"],
        {name: {name: "n"} for name in ("sum", "min", "max", "avg", "list", "first", "last")},
    )
    keys = list(dict.fromkeys(key for key, _ in pairs))
    assert [row["k"] for row in made] == keys
    for row in made:
        numbers = [number for key, number in pairs if key == row["k"]]
        exact = sum(map(Fraction, numbers))
        assert row["list"] == numbers
        assert (row["first"], row["last"]) == (numbers[0], numbers[-1])
        assert (row["min"], row["max"]) == (min(numbers), max(numbers))
        if all(type(number) is int for number in numbers):
            assert int(row["sum"]) == exact
        else:
            assert row["sum"] == float(exact)
        assert row["avg"] == pytest.approx(float(exact / len(numbers)), rel=1e-12, abs=1e-300)
