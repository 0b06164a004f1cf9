from __future__ import annotations

from bench.samples import Sample, Samples, Spread
from bench.targets import TARGETS, Target


def _samples(*rows: tuple[str, int, float]) -> Samples:
    samples = Samples()
    for engine, turn, value in rows:
        samples.add(Sample("W1", engine, turn, {"steps_per_s": value}))
    return samples


def test_a_ratio_is_taken_within_a_pass() -> None:
    # The machine was twice as fast in pass 1; over all, the ratio of medians would be 1.
    samples = _samples(("a", 0, 10), ("b", 0, 5), ("a", 1, 20), ("b", 1, 10))
    assert samples.ratio("W1", "a", "steps_per_s", "b") == Spread(2, 2, 2)


def test_a_pass_without_both_sides_counts_for_nothing() -> None:
    samples = _samples(("a", 0, 10), ("b", 0, 5), ("a", 1, 1000))
    assert samples.ratio("W1", "a", "steps_per_s", "b") == Spread(2, 2, 2)
    assert samples.ratio("W1", "a", "steps_per_s", "absent") is None


def test_the_middle_is_the_median_and_the_range_is_shown() -> None:
    samples = _samples(("a", 0, 1), ("a", 1, 100), ("a", 2, 3))
    assert samples.spread("W1", "a", "steps_per_s") == Spread(3, 1, 100)


def test_a_target_is_met_on_its_good_side_only() -> None:
    fast = Target("W1", "", "a", "steps_per_s", 3, at_least=True)
    low = Target("W1", "", "a", "steps_per_s", 3)
    for value, expected in ((2, ("MISS", "PASS")), (3, ("PASS", "PASS")), (4, ("PASS", "MISS"))):
        samples = _samples(("a", 0, value))
        assert (fast.verdict(samples), low.verdict(samples)) == expected


def test_a_target_without_figures_is_not_met() -> None:
    assert all(target.verdict(Samples()) == "not measured" for target in TARGETS)


def test_a_target_over_a_peer_is_judged_by_the_ratio() -> None:
    target = Target("W1", "", "a", "steps_per_s", 30, True, "b")
    assert target.verdict(_samples(("a", 0, 310), ("b", 0, 10))) == "PASS"
    assert target.verdict(_samples(("a", 0, 290), ("b", 0, 10))) == "MISS"
