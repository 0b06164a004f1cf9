from __future__ import annotations

import pytest

from bench.processes import Unmeasured
from bench.recovery import Line, judged
from bench.steps import LENGTH


def _life(run: int, steps: range, start: int, *, unfinished: bool = False) -> list[Line]:
    """A run's effects; *unfinished* leaves the last step without its end."""
    lines = []
    for step in steps:
        lines.append(Line(run, step, "begin", start + step * 100))
        lines.append(Line(run, step, "end", start + step * 100 + 50))
    return lines[:-1] if unfinished else lines


def test_a_clean_recovery_repeats_only_what_was_under_way() -> None:
    first = [Line(0, 0, "started", 0), *_life(0, range(5), 0, unfinished=True)]
    second = _life(0, range(4, LENGTH), 10_000)
    found = judged(first, second, spawned=10_000)
    assert found["lost"] == 0
    assert (found["repeated"], found["repeated_more"], found["redone"]) == (1, 0, 0)
    assert found["first_step_s"] == pytest.approx(400e-9)
    assert found["done_s"] == pytest.approx(950e-9)


def test_a_run_that_never_ends_is_lost_if_it_was_acknowledged() -> None:
    first = [Line(run, 0, "started", 0) for run in (0, 1)]
    second = _life(0, range(LENGTH), 100)
    assert judged(first, second, 0)["lost"] == 1
    assert judged(first[:1], second, 0)["lost"] == 0


def test_work_that_had_ended_and_is_done_again_is_told() -> None:
    first = [Line(0, 0, "started", 0), *_life(0, range(5), 0)]
    found = judged(first, _life(0, range(3, LENGTH), 9_000), 0)
    assert (found["redone"], found["repeated"]) == (2, 2)


def test_a_step_taken_three_times_is_told() -> None:
    first = [Line(0, 0, "started", 0), *_life(0, range(3), 0)]
    second = _life(0, range(2, LENGTH), 9_000)
    found = judged(first, [*second, *second], 0)
    assert found["repeated_more"] == 1


def test_nothing_after_the_start_is_no_recovery() -> None:
    with pytest.raises(Unmeasured, match="nothing was recovered"):
        judged([Line(0, 0, "started", 0)], [], 0)
