from __future__ import annotations

from io import StringIO

from rich.console import Console

from bench import table
from bench.engines import ENGINES, WORKLOADS
from bench.samples import Sample, Samples, Spread


def _printed(samples: Samples) -> str:
    console = Console(record=True, width=150, file=StringIO())
    for name in WORKLOADS:
        table.workload(console, name, ENGINES, samples)
    table.ratios(console, ENGINES, samples)
    table.targets(console, WORKLOADS, samples)
    return console.export_text()


def _samples() -> Samples:
    samples = Samples()
    for turn, ours in enumerate((200_000, 260_000, 240_000)):
        rows = {"drawloom-memory": ours, "tasks": 200_000, "langgraph": 4_000}
        for engine, rate in rows.items():
            samples.add(Sample("W1", engine, turn, {"steps_per_s": rate, "step_us": 5.0}))
    return samples


def test_the_median_its_range_and_the_ratio_are_shown() -> None:
    text = _printed(_samples())
    row = next(line for line in text.splitlines() if "Drawloom, in memory" in line)
    assert "240,000 [200,000..260,000]" in row
    assert "1.2 [1..1.3]" in row


def test_less_time_is_more_speed() -> None:
    samples = Samples()
    samples.add(Sample("W2", "drawloom-memory", 0, {"ms": 5.0}))
    samples.add(Sample("W2", "tasks", 0, {"ms": 10.0}))
    assert table.speed(samples, "W2", "drawloom-memory", "tasks") == Spread(2, 2, 2)


def test_targets_say_pass_and_miss_and_what_is_not_known() -> None:
    lines = _printed(_samples()).splitlines()
    told = {line.split("│")[2].strip(): line for line in lines if line.count("│") == 5}
    assert "PASS" in told["in memory, 100 together: 0.6 of a task per step"]
    assert "60 " in told["in memory, 100 together: 30 times LangGraph"]
    assert "not measured" in told["no acknowledged run is lost"]


def test_what_is_missing_says_why() -> None:
    samples = Samples()
    samples.missing["W1", "node-red"] = "npm is missing [install it]"
    assert "Node-RED, function nodes: not measured: npm is missing [install it]" in _printed(
        samples
    )
