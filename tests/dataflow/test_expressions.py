"""The one wrapper round JSONata: limits, positions, what is read, nothing against null."""

import pytest

from drawloom.dataflow.expressions import FULL, Budget, Expression, OverBudget
from drawloom.dataflow.values import UNDEFINED
from drawloom.errors import ExpressionInvalid

SCOPE = {
    "steps": {"late": {"rows": [{"id": 1, "total": 5}, {"id": 2, "total": 500}], "none": None}}
}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("steps.late.rows[total > 100].id", 2),
        ("steps.late.rows.id", [1, 2]),
        ("steps.late.none", None),
        ("steps.late.nowhere", UNDEFINED),
        ("steps.late.rows[total > 1000]", UNDEFINED),
        ("steps.late.nowhere ?? 'default'", "default"),
        ("[]", []),
        ("/* a comment */ 1 + 1", 2),
        ("$sum(steps.late.rows.total)", 505),
    ],
)
def test_null_and_nothing_are_different(source, expected):
    found = Expression(source).evaluate(SCOPE)

    assert expected == found and type(expected) is type(found)


@pytest.mark.parametrize(
    ("source", "position"), [("a.b(", 4), ("  1 +", 5), ("a ~> ", 5), ("'open", 5), ("a[0", 3)]
)
def test_a_syntax_error_has_its_position_in_the_authors_text(source, position):
    with pytest.raises(ExpressionInvalid) as caught:
        Expression(source)

    assert position == caught.value.position
    assert caught.value.code.startswith("S")


def test_an_error_at_run_time_has_its_position_in_the_authors_text():
    with pytest.raises(ExpressionInvalid, match="must evaluate to a number") as caught:
        Expression("1 + 'x'").evaluate({})

    assert "T2002" == caught.value.code
    assert caught.value.position in range(8)


@pytest.mark.parametrize("source", ["", "   ", "\n"])
def test_an_empty_expression_is_refused(source):
    with pytest.raises(ExpressionInvalid, match="empty"):
        Expression(source)


def test_a_source_of_megabytes_is_refused():
    with pytest.raises(ExpressionInvalid, match="65536 characters"):
        Expression("1+" * 100_000 + "1")


@pytest.mark.parametrize(
    "source", ["$eval('1+1')", "($e := $eval; $e('1'))", "$map(['1'], $eval)"]
)
def test_data_is_never_parsed_as_an_expression(source):
    with pytest.raises(ExpressionInvalid):
        Expression(source).evaluate({})


@pytest.mark.parametrize(
    "source",
    [
        "($f := function($n){$f($n + 1)}; $f(1))",
        "($f := function($n){1 + $f($n + 1)}; $f(1))",
        "[1..9999999]",
        "$map([1..90000], function($i){ $map([1..90000], function($j){ $j }) })",
        "$match('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!', /^(a+)+$/)",
        "($f := function($s){$f($s & $s)}; $f('aaaaaaaaaaaa'))",
    ],
)
def test_what_never_ends_or_grows_without_bound_is_stopped(source):
    with pytest.raises(OverBudget):
        Expression(source).evaluate({})


def test_a_larger_budget_lets_large_work_through():
    source = Expression("$sum($map([1..90000], function($i){ $i * 2 }))")

    with pytest.raises(OverBudget):
        source.evaluate({}, Budget(steps=1_000, seconds=None))
    assert 90_000 * 90_001 == source.evaluate({}, FULL)


def test_the_clock_and_the_seed_are_arguments():
    random, clock = Expression("$random()"), Expression("$now()")

    assert random.evaluate({}, seed=7) == random.evaluate({}, seed=7)
    assert random.evaluate({}, seed=7) != random.evaluate({}, seed=8)
    assert "1970-01-01T00:00:01.500Z" == clock.evaluate({}, now=1_500)


@pytest.mark.parametrize(
    ("source", "reads"),
    [
        (
            "steps.late.rows[total > 100].id",
            {("steps", "late", "rows", "id"), ("steps", "late", "rows", "total")},
        ),
        ("input.a + item.b", {("input", "a"), ("item", "b")}),
        ("$lookup(steps, 'a')", {("steps", "a")}),
        ("steps.*.id", {("steps",)}),
        ("**.id", {()}),
        ("[1..10]", set()),
    ],
)
def test_what_it_reads_is_known_before_it_runs(source, reads):
    assert reads == set(Expression(source).reads)
