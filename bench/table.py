"""How the figures are shown: a table per workload, the ratios, the targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.engines import Engine
from bench.measure import Metrics
from bench.samples import Samples, Spread
from bench.targets import TARGETS, Target

COLOURS = {"PASS": "green", "MISS": "bold red", "not measured": "yellow"}


@dataclass(frozen=True, slots=True)
class Report:
    """What a workload shows. The first metric is the one that engines are compared by."""

    title: str
    metrics: tuple[tuple[str, str], ...]  # (metric, heading)
    more_is_better: bool = False


REPORTS: dict[str, Report] = {
    "W1": Report(
        "W1  ten steps in a row",
        (
            ("steps_per_s", "100 together\nsteps/s"),
            ("together_ms_p99", "a run, p99\nms"),
            ("step_us", "one at a time\nµs/step"),
            ("run_us_p99", "a run, p99\nµs"),
            ("rss_mb", "MB"),
        ),
        more_is_better=True,
    ),
    "W2": Report("W2  fan-out to 1,000 and join", (("ms", "ms"), ("rss_mb", "MB"))),
    "W3": Report(
        "W3  1,000 runs at once of one 50 ms tool",
        (("ms", "ms"), ("of_ideal", "of 50 ms\nx"), ("rss_mb", "MB")),
    ),
    "W4": Report(
        "W4  1 MB of JSON through five steps",
        (("ms", "ms"), ("copies", "copies\nheld"), ("rss_mb", "MB")),
    ),
    "W5": Report(
        "W5  cold start",
        (
            ("first_ms", "first result\nms"),
            ("run_ms", "drawloom run\nms"),
            ("help_ms", "--help\nms"),
            ("python_ms", "python -c pass\nms"),
            ("rss_mb", "MB"),
        ),
    ),
    "W6": Report(
        "W6  20 runs of ten steps, SIGKILL midway, and a new process",
        (
            ("done_s", "all done\ns"),
            ("first_step_s", "first step\ns"),
            ("lost", "runs\nlost"),
            ("repeated", "steps\nrepeated"),
            ("repeated_more", "more than\nonce"),
            ("redone", "had ended,\nredone"),
        ),
    ),
    "W8": Report("W8  a step in a state that holds many runs", (("growth", "most/least\nx"),)),
}


def number(value: float) -> str:
    """Three digits that matter."""
    if value == int(value) and abs(value) < 1e6:
        return f"{value:,.0f}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def shown(spread: Spread | None) -> str:
    """Median and range; a dash where nothing was measured."""
    if spread is None:
        return "[dim]-[/]"
    middle, low, high = (number(v) for v in (spread.middle, spread.low, spread.high))
    return middle if low == high else f"{middle} [dim]\\[{low}..{high}][/]"


def context(console: Console, costs: Metrics, machine: dict[str, str | int | None]) -> None:
    """The scale of all that follows."""
    console.print(f"{machine['cpu']}, {machine['cores']} cores, Python {machine['python']}")
    console.print(
        f"an await {costs['await_us']:.2f} µs, a task {costs['task_us']:.1f} µs, an append with "
        f"fdatasync {costs['sync_us_p50']:.0f} µs (p99 {costs['sync_us_p99']:.0f})\n"
    )


def workload(console: Console, name: str, engines: Sequence[Engine], samples: Samples) -> None:
    """One table: engines down, metrics across, and the speed beside a task per step."""
    report = REPORTS[name]
    metrics = [*report.metrics, *_sized(name, samples)]
    table = Table(title=report.title, title_justify="left", title_style="bold")
    table.add_column("engine", no_wrap=True)
    for _, heading in metrics:
        table.add_column(heading, justify="right", no_wrap=True)
    compared = speed(samples, name, "tasks", "tasks") is not None
    if compared:
        table.add_column("speed, a task\nper step = 1", justify="right", no_wrap=True)
    for engine in engines:
        if any(samples.values(name, engine.name, metric) for metric, _ in metrics):
            cells = [shown(samples.spread(name, engine.name, metric)) for metric, _ in metrics]
            ratio = [shown(speed(samples, name, engine.name, "tasks"))] if compared else []
            table.add_row(engine.title, *cells, *ratio)
    if table.row_count:
        console.print(table)
    for engine in engines:
        if why := samples.missing.get((name, engine.name)):
            console.print(f"  [yellow]{engine.title}: not measured:[/] {escape(why)}")


def _sized(name: str, samples: Samples) -> list[tuple[str, str]]:
    """The columns of W8, whose sizes differ with `--quick`."""
    if name != "W8":
        return []
    keys = dict.fromkeys(k for s in samples.taken if s.workload == "W8" for k in s.metrics)
    return [
        (k, f"{int(k.rpartition('_')[2]):,} stored\n{'µs/step' if 'us' in k else 'ms to open'}")
        for k in keys
        if k != "growth"
    ]


def speed(samples: Samples, name: str, engine: str, other: str) -> Spread | None:
    """How many times as fast *engine* is as *other*, by the workload's first metric."""
    report = REPORTS[name]
    metric = report.metrics[0][0]
    if report.more_is_better:
        return samples.ratio(name, engine, metric, other)
    return samples.ratio(name, other, metric, engine)


def ratios(console: Console, engines: Sequence[Engine], samples: Samples) -> None:
    """How many times as fast Drawloom is as each peer."""
    ours = [e for e in engines if e.module == "drawloom"]
    peers = [e for e in engines if e.module != "drawloom"]
    table = Table(
        title="How many times as fast as each (median of the passes' ratios)",
        title_justify="left",
        title_style="bold",
    )
    for heading in ("workload", "engine", *(peer.name for peer in peers)):
        table.add_column(heading, justify="left" if table.columns[1:] == [] else "right")
    for name in ("W1", "W2", "W3", "W4", "W5", "W6"):
        for engine in ours:
            found = [speed(samples, name, engine.name, peer.name) for peer in peers]
            if any(found):
                table.add_row(name, engine.name, *(number(f.middle) if f else "-" for f in found))
    if table.row_count:
        console.print(table)


def targets(console: Console, names: Sequence[str], samples: Samples) -> None:
    """Every target of the workloads that were run, with PASS or MISS."""
    table = Table(title="Targets", title_justify="left", title_style="bold")
    for heading in ("", "target", "", "found"):
        table.add_column(heading)
    for target in TARGETS:
        if target.workload in names:
            table.add_row(target.workload, *_judged(target, samples))
    console.print(table)


def _judged(target: Target, samples: Samples) -> tuple[str, str, str]:
    verdict = target.verdict(samples)
    unit = f" {target.unit}" if target.unit else ""
    found = shown(target.found(samples)) + unit if verdict != "not measured" else ""
    return target.says, f"[{COLOURS[verdict]}]{verdict}[/]", found
