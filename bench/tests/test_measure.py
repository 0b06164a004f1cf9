from __future__ import annotations

import pytest

from bench import steps
from bench.engines import ENGINES, WORKLOADS, chosen
from bench.engines.bare import Bare
from bench.measure import WrongResult, allocated, one_by_one, percentile, throughput
from bench.passes import planned
from bench.processes import Unmeasured, answer, ask


async def _wrong(v: int) -> int:
    return v


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(v) for v in range(100)]
    assert percentile(values, 0.5) == 50
    assert percentile(values, 0.99) == 99
    assert percentile([7.0], 0.99) == 7


async def test_an_engine_that_skips_the_work_is_refused() -> None:
    with pytest.raises(WrongResult, match="expected 10, found 0"):
        await one_by_one(_wrong, steps.LENGTH, 0.01)
    with pytest.raises(WrongResult, match="expected 10, found 0"):
        await throughput(_wrong, steps.LENGTH, 2, 0.01)


async def test_throughput_counts_every_run() -> None:
    rate, taken = await throughput(Bare().ten, steps.LENGTH, 3, 0.02)
    assert len(taken) % 3 == 0
    assert rate * sum(taken) == pytest.approx(len(taken), rel=0.9)


async def test_a_copy_is_seen() -> None:
    async def copy() -> None:
        bytearray(5_000_000)

    async def none() -> None:
        pass

    assert 5_000_000 <= await allocated(copy) < 5_500_000
    assert await allocated(none) < 50_000


def test_the_document_has_the_size_it_says() -> None:
    import json

    text = json.dumps(steps.document(1_000_000), separators=(",", ":"))
    assert 1_000_000 <= len(text) < 1_100_000


def test_passes_are_interleaved() -> None:
    engines = chosen(["bare", "tasks"])
    turns = planned(["W1", "W6"], engines, 2, quick=False)
    assert [(t.turn, t.engine.module) for t in turns] == [
        (0, "bare"),
        (0, "tasks"),
        (0, "tasks"),
        (1, "bare"),
        (1, "tasks"),
        (1, "tasks"),
    ]  # and no W6: nothing of theirs comes back


def test_quick_leaves_the_slowest_out() -> None:
    everything = planned(WORKLOADS, ENGINES, 1, quick=False)
    quick = planned(WORKLOADS, ENGINES, 1, quick=True)
    left_out = {(t.workload, t.engine.name) for t in everything} - {
        (t.workload, t.engine.name) for t in quick
    }
    assert ("W3", "dbos") in left_out
    assert ("W1", "dbos") not in left_out


def test_an_unknown_engine_is_told_with_those_there_are() -> None:
    with pytest.raises(LookupError, match="no engine 'airflow'; there are bare, tasks"):
        chosen(["airflow"])


def test_a_process_of_its_own_measures() -> None:
    options = {"state": "", "seconds": 0.01, "workers": 2}
    found = ask(ENGINES[0], "W1", options)["metrics"]
    assert found["steps_per_s"] > 10_000
    assert 5 < found["rss_mb"] < 100  # not that of the tests


def test_why_a_process_failed_is_told() -> None:
    with pytest.raises(Unmeasured, match="No module named 'langgraph'"):
        answer("", "Traceback...\nModuleNotFoundError: No module named 'langgraph'\n")
    with pytest.raises(Unmeasured, match="expected 10"):
        answer('warming up\n{"error": "expected 10, found 3"}\n', "")
    with pytest.raises(Unmeasured, match="KeyError: 'seconds'"):
        ask(ENGINES[0], "W1", {"state": ""})
