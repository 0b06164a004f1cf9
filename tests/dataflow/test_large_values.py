"""Values that are kept outside give, wherever they are read, what plain ones give."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drawloom.dataflow.expressions import FULL, INLINE, OverBudget
from drawloom.dataflow.large_values import PartlyStored, StoredValue, at_hand, gathered, plain
from drawloom.dataflow.references import Condition, Evaluation, Template
from drawloom.errors import DrawloomError


class Shelf:
    """Keeps values as JSON, and notes what was read."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []
        self.read: list[tuple[int, tuple[str | int, ...]]] = []

    def put(self, value: Any, size: int | None = None) -> StoredValue:
        self.kept.append(msgspec.json.encode(value))
        number = len(self.kept) - 1
        return StoredValue(bytes([number]), size or len(self.kept[number]), self)

    def at(self, digest: bytes, path: tuple[str | int, ...]) -> Any:
        self.read.append((digest[0], path))
        value = msgspec.json.decode(self.kept[digest[0]])
        for part in path:
            if isinstance(value, str):
                raise TypeError
            value = value[part]
        return value


NAMES = st.sampled_from(["a", "b", "rows"])
LEAVES = st.one_of(
    st.integers(-5, 5), st.sampled_from(["", "x", "rows"]), st.none(), st.booleans()
)
VALUES = st.recursive(
    LEAVES, lambda v: st.lists(v, max_size=3) | st.dictionaries(NAMES, v, max_size=3), max_leaves=8
)
SOURCES = st.sampled_from(
    [
        "steps.s", "steps.s.a", "steps.s.a.b", "steps.s.rows[0]", "steps.s[1].rows", "steps.s[0]",
        "steps", "input.a.b", "input", "$count(steps.s.rows)", "steps.s.rows.a", "$keys(steps.s)",
        "steps.s.a = 1 ? steps.s.b : input.a", "steps.s.*", "$sum([1, 2])", "$lookup(steps, 's').a",
    ]
)  # fmt: skip


def result(source: str, scope: Any) -> Any:
    try:
        return ("gave", Template("${" + source + "}").fill(scope, Evaluation(FULL)))
    except DrawloomError as exc:
        return ("refused", str(exc))


def partly(shelf: Shelf, value: Any) -> Any:
    """The value with its members outside, where it has any."""
    if isinstance(value, dict) and value:
        return gathered({name: shelf.put(member) for name, member in value.items()})
    if isinstance(value, list) and value:
        return gathered([shelf.put(value[0]), *value[1:]])
    return shelf.put(value)


@settings(deadline=None)
@given(source=SOURCES, step=VALUES, given_input=VALUES, whole=st.booleans())
def test_a_reference_gives_the_same_whether_or_not_its_value_is_outside(
    source: str, step: Any, given_input: Any, whole: bool
) -> None:
    shelf = Shelf()
    put = shelf.put if whole else lambda value: partly(shelf, value)
    outside = {"input": put(given_input), "steps": {"s": put(step), "t": 7}}
    inside = {"input": given_input, "steps": {"s": step, "t": 7}}
    assert result(source, outside) == result(source, inside)


@settings(deadline=None)
@given(step=VALUES, query=st.sampled_from(["$.steps.s", "$.steps.s.rows[*].a", "$..a", "$.input"]))
def test_so_does_a_json_path(step: Any, query: str) -> None:
    template = Template({"$jsonpath": query})
    outside = {"input": {}, "steps": {"s": partly(Shelf(), step)}}
    inside = {"input": {}, "steps": {"s": step}}
    assert template.fill(outside, Evaluation()) == template.fill(inside, Evaluation())


@given(VALUES)
def test_a_value_that_was_taken_apart_is_whole_again(value: Any) -> None:
    assert plain(partly(Shelf(), value)) == value


def test_a_path_loads_only_the_part_that_it_leads_to() -> None:
    shelf = Shelf()
    value = gathered({"rows": shelf.put([1, 2]), "other": shelf.put("x"), "count": 2})
    fill = Template({"n": "${steps.s.count}", "row": "${steps.s.rows[1]}"}).fill
    assert fill({"steps": {"s": value}}, Evaluation()) == {"n": 2, "row": 2}
    assert shelf.read == [(0, (1,))]


def test_an_expression_loads_only_what_it_reads() -> None:
    shelf = Shelf()
    value = gathered({"rows": shelf.put([1, 2]), "other": shelf.put("x")})
    scope = {"steps": {"s": value, "t": shelf.put("y")}, "input": shelf.put({})}
    assert Condition("$count(steps.s.rows) = 2").holds(scope, Evaluation())
    assert shelf.read == [(0, ())]


def test_an_expression_over_more_than_its_budget_is_left_to_others() -> None:
    shelf = Shelf()
    scope = {"steps": {"s": shelf.put([1, 2], size=INLINE.stored + 1)}}
    with pytest.raises(OverBudget):
        Condition("$count(steps.s) = 2").holds(scope, Evaluation())
    assert shelf.read == []
    assert at_hand(scope, [()]) == {"steps": {"s": [1, 2]}}


def test_what_reads_nothing_from_outside_gets_the_scope_itself() -> None:
    scope = {"steps": {"s": Shelf().put(1), "t": 2}, "input": {"a": 1}}
    assert at_hand(scope, [("steps", "t"), ("input", "a")]) is scope


def test_the_same_content_is_equal_wherever_it_is() -> None:
    shelf = Shelf()
    one = shelf.put(1)
    assert one == StoredValue(one.digest, one.size, shelf)
    assert one != one["a"]
    assert PartlyStored({"a": None}, {"a": one}) == PartlyStored({"a": None}, {"a": one})
    assert PartlyStored({"a": None}, {"a": one}) != PartlyStored({"a": None}, {"a": one["b"]})
