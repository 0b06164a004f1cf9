"""Two values differ in the places that are told, and in no others."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from drawloom.testing.differences import MOST, differences

VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab/~", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("ab/~"), inner, max_size=4)
    ),
    max_leaves=12,
)


def same(one: Any, other: Any) -> bool:
    """Equality as JSON has it: true is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)


@given(VALUES, VALUES)
def test_differences_are_told_if_and_only_if_there_are_any(one: Any, other: Any) -> None:
    assert (differences(one, other, "x") == []) is same(one, other)
    assert differences(one, one, "x") == []


def test_numbers_are_the_same_where_they_are_equal() -> None:
    assert differences([1, 1.0], [1.0, 1], "x") == []


def test_only_the_first_are_told() -> None:
    found = differences(dict.fromkeys(map(str, range(99)), 0), {}, "x")
    assert (len(found), found[-1]) == (MOST + 1, "x: and more")


def test_a_place_is_a_json_pointer() -> None:
    assert differences({"a/b": [{"~": 1}]}, {"a/b": [{"~": 2}]}, "output") == [
        "output/a~1b/0/~0: expected 1, got 2"
    ]
