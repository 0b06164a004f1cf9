"""JSONPath through the wrapper: what it selects, what it reads, where it stops."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from drawloom.dataflow.expressions import INLINE, Budget, OverBudget
from drawloom.dataflow.jsonpath import LONGEST_QUERY, JsonPath
from drawloom.errors import ExpressionInvalid

ROWS = [{"id": 1, "name": "ab"}, {"id": 2, "name": "ba"}, {"id": 3}]
SCOPE: dict[str, Any] = {"steps": {"a": {"rows": ROWS}}, "input": {"least": 2}}

SELECTED: list[tuple[str, list[Any]]] = [
    ("$.steps.a.rows[*].id", [1, 2, 3]),
    ("$.steps.a.rows[-1].id", [3]),
    ("$.steps.a.rows[?@.id >= $.input.least].id", [2, 3]),
    ("$..name", ["ab", "ba"]),
    ("$.steps.a.rows[?match(@.name, 'a.')].id", [1]),
    ("$.steps.a.rows[?search(@.name, 'a')].id", [1, 2]),
    ("$.steps.a.rows[?match(@.name, '[a-b]{2}')].id", [1, 2]),
    ("$.nothing.here", []),
    ("$.steps['a']['rows'][0]['name']", ["ab"]),
]


@pytest.mark.parametrize(("source", "wanted"), SELECTED)
def test_it_selects(source: str, wanted: list[Any]) -> None:
    assert JsonPath(source).select(SCOPE) == wanted
    assert JsonPath(source).select(SCOPE, INLINE) == wanted


READS: list[tuple[str, tuple[str, ...], tuple[tuple[str, ...], ...]]] = [
    ("$", (), ()),
    ("$.steps.a.rows[*].id", ("steps", "a", "rows"), ()),
    ("$['steps'].a[0].id", ("steps", "a"), ()),
    ("$..id", (), ()),
    ("$.steps['a','b'].c", ("steps",), ()),
    (
        "$.steps.a[?@.id == $.input.id || $.steps.b.ok]",
        ("steps", "a"),
        (("input", "id"), ("steps", "b", "ok")),
    ),
]


@pytest.mark.parametrize(("source", "reads", "also"), READS)
def test_what_it_reads_is_known_before_it_runs(
    source: str, reads: tuple[str, ...], also: tuple[tuple[str, ...], ...]
) -> None:
    query = JsonPath(source)
    assert query.reads == reads
    assert query.also_reads == also


WRONG: list[tuple[str, int | None]] = [
    ("", 0),
    ("steps", 0),
    ("$.a[", 4),
    ("$.a b", 4),
    ("$[?@.a ==]", 9),
    ("$[?nothing(@.a)]", 3),
    ("$[99999999999999999999]", 2),
    ("$" + "[?(" * 1_300, None),
    ("$.a" + "b" * LONGEST_QUERY, None),
]


@pytest.mark.parametrize(("source", "position"), WRONG, ids=range(len(WRONG)))
def test_what_is_no_query_is_refused_with_its_position(source: str, position: int | None) -> None:
    with pytest.raises(ExpressionInvalid) as raised:
        JsonPath(source)
    if position is not None:
        assert raised.value.position == position


GREEDY = [
    "$..*..*..*..*",
    "$[?$..*[?$..*[?$..*]]]",
    "$.rows[?$.rows[?$.rows[?@.x]]]",
    "$..[?@..x]",
]


@pytest.mark.parametrize("source", GREEDY)
def test_a_query_that_looks_at_too_much_is_stopped(source: str) -> None:
    value = {"rows": [[{"y": number} for number in range(40)] for _ in range(40)]}
    with pytest.raises(OverBudget, match="looks at more than"):
        JsonPath(source).select(value, INLINE)


def test_it_stops_at_the_same_place_each_time() -> None:
    query, value = JsonPath("$.rows[*]"), {"rows": list(range(100))}
    for steps, fits in ((20 * 102, True), (20 * 101, False)):
        for _ in range(3):
            if fits:
                assert len(query.select(value, Budget(steps=steps, seconds=None))) == 100
                continue
            with pytest.raises(OverBudget):
                query.select(value, Budget(steps=steps, seconds=None))


def test_too_many_results_are_refused_and_never_cut() -> None:
    query = JsonPath("$[*]")
    few = Budget(steps=10**9, seconds=None, array=10)
    assert len(query.select([0] * 10, few)) == 10
    with pytest.raises(OverBudget, match="more than 10 values"):
        query.select([0] * 11, few)


def test_a_regular_expression_cannot_hang() -> None:
    query = JsonPath("$[?match(@, '(a+)+b')]")
    assert query.select(["a" * 100_000, "aab"]) == ["aab"]


@pytest.mark.parametrize("pattern", ["((a{900}){900}){900}", "a" * 1_001, "a{5,2}"], ids=range(3))
def test_a_pattern_that_the_engine_cannot_take_is_an_error_and_no_miss(pattern: str) -> None:
    with pytest.raises(ExpressionInvalid, match="too large or its counts are wrong"):
        JsonPath("$.v[?search(@, $.p)]").select({"v": ["a"], "p": pattern})


PATTERNS: list[tuple[str, list[str], list[str]]] = [
    ("[0-9]{10}", ["0123456789"], ["012345678", "01234567890"]),
    ("a{2,}", ["aa", "aaa"], ["a"]),
    ("a{1,12}b?", ["a", "aab"], ["b"]),
    ("", [""], ["a"]),
    ("a|", ["a", ""], ["b"]),
    ("(ab|c)+", ["abc", "c"], ["", "a"]),
    (".", ["a", "😀", "\u2028"], ["\n", "\r", "ab"]),
    ("[.]", ["."], ["a"]),
    ("a\\.b", ["a.b"], ["axb"]),
    ("[a&&~]", ["&", "~", "a"], ["b"]),
    ("[--]", ["-"], ["a"]),
    ("[-a]", ["-", "a"], ["b"]),
    ("[a-]", ["-", "a"], ["b"]),
    ("[^a-c]", ["d", "^"], ["b"]),
    ("[a^]", ["^", "a"], ["b"]),
    ("[\\]\\[]", ["]", "["], ["\\"]),
    ("\\p{Lu}\\P{L}", ["Ä1"], ["ä1", "ÄÄ"]),
    ("[\\p{Nd}x]", ["5", "x"], ["y"]),
    ("\\t\\n", ["\t\n"], ["tn"]),
]


@pytest.mark.parametrize(("pattern", "matches", "misses"), PATTERNS)
def test_an_i_regexp_means_what_its_standard_says(
    pattern: str, matches: list[str], misses: list[str]
) -> None:
    found = JsonPath("$.v[?match(@, $.p)]").select({"v": matches + misses, "p": pattern})
    assert found == matches


@pytest.mark.parametrize(
    "pattern",
    [
        "(a",
        "a)",
        "*a",
        "a**",
        "a{,2}",
        "a{x}",
        "[]",
        "[^]",
        "[b-a",
        "\\d",
        "(?:a)",
        "a\\",
        "\\p{X}",
        "]",
        "}",
        "|*",
        "[[a]]",
        "[a-\\p{L}]",
    ],
)
def test_what_is_no_i_regexp_matches_nothing(pattern: str) -> None:
    """RFC 9535, 2.4.6. The patterns come from data, so that this is no error."""
    values = ["a", "", pattern, "5", "aa"]
    assert JsonPath("$.v[?search(@, $.p)]").select({"v": values, "p": pattern}) == []


def test_deep_values_need_no_stack() -> None:
    value: Any = {"x": 1}
    for _ in range(200):
        value = {"d": value}
    assert JsonPath("$..x").select(value) == [1]
    assert JsonPath("$..d..x").select({"d": {"d": {"x": 1}}}) == [1, 1]


def test_threads_share_a_query_and_not_its_meter() -> None:
    query, value = JsonPath("$.rows[*].id"), {"rows": [{"id": i} for i in range(2_000)]}
    with ThreadPoolExecutor(4) as threads:
        done = list(threads.map(lambda _: len(query.select(value, INLINE)), range(16)))
    assert done == [2_000] * 16
