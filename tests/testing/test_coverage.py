"""What no test of a chain has reached."""

from __future__ import annotations

from tests.testing.shop import CATALOGUE, CHAIN, ran

from drawloom.chains import compile_chain, load
from drawloom.testing import Coverage


def test_coverage_names_what_no_test_reached() -> None:
    plan = compile_chain(load(CHAIN), CATALOGUE.find)
    coverage = Coverage(plan)
    assert list(coverage.never_ran) == ["late", "more", "paid"]
    for n, never_ran, never_skipped in ((1, ["paid"], []), (2, [], [])):
        more = ", paid: {output: {paid: 4}}" if n == 2 else ""
        outcome = ran(f"\n  - {{name: a, answers: {{late: {{output: {{id: {n}}}}}{more}}}}}\n")
        assert outcome.result is not None
        coverage.add(outcome.result)
        assert [[*coverage.never_ran], [*coverage.never_skipped]] == [never_ran, never_skipped]


def test_a_condition_that_never_skips_is_named() -> None:
    coverage = Coverage(compile_chain(load(CHAIN), CATALOGUE.find))
    outcome = ran(
        "\n  - {name: a, answers: {late: {output: {id: 2}}, paid: {output: {paid: 4}}}}\n"
    )
    assert outcome.result is not None
    coverage.add(outcome.result)
    assert (coverage.never_ran, coverage.never_skipped) == ((), ("paid",))


def test_what_is_pinned_or_left_out_counts_for_nothing() -> None:
    coverage = Coverage(compile_chain(load(CHAIN), CATALOGUE.find))
    outcome = ran("\n  - {name: a, pins: {late: {output: {id: 1}}}, only: [more]}\n")
    assert outcome.result is not None
    assert outcome.result.steps["paid"].status == "skipped"
    coverage.add(outcome.result, ["late"], ["more"])
    assert [*coverage.never_ran, *coverage.never_skipped] == ["late", "paid", "paid"]
