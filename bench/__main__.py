"""The command line: `python -m bench [W1 W2 ...] [--engines A,B] [--passes N] [--quick]`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench import passes, peers, table
from bench.context import machine
from bench.engines import ENGINES, WORKLOADS, Engine, chosen
from bench.measure import Metrics
from bench.passes import RESULTS, Race, Turn
from bench.sizes import FULL, QUICK, Sizes
from bench.targets import TARGETS


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """What was asked for; wrong names end the program with what there is."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=", ".join(WORKLOADS))
    parser.add_argument(
        "--engines", default="", help="names with commas; `drawloom` means all of it"
    )
    parser.add_argument("--passes", type=int, default=0, help="interleaved passes (5; quick 1)")
    parser.add_argument(
        "--quick", action="store_true", help="under two minutes, without the slowest"
    )
    parser.add_argument("--no-install", action="store_true", help="only the peers that are there")
    parser.add_argument("--strict", action="store_true", help="exit 1 if a target is not met")
    parser.add_argument(
        "--lock", action="store_true", help="lock the peers' present versions anew"
    )
    given = parser.parse_args(argv)
    if unknown := set(given.workloads) - set(WORKLOADS):
        parser.error(f"no workload {', '.join(sorted(unknown))}; there are {', '.join(WORKLOADS)}")
    given.workloads = [w for w in WORKLOADS if not given.workloads or w in given.workloads]
    try:
        given.engines = chosen(given.engines.split(",")) if given.engines else ENGINES
    except LookupError as error:
        parser.error(str(error.args[0]))
    given.passes = given.passes or (1 if given.quick else 5)
    return given


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, store; 1 where a target was missed and `--strict` asks."""
    given = arguments(argv)
    if given.lock:
        peers.lock()
        return 0
    console = _console()
    sizes = QUICK if given.quick else FULL
    with console.status("Installing the peers"):
        missing = peers.ready(given.engines, install=not given.no_install)
    turns = passes.planned(given.workloads, given.engines, given.passes, given.quick)
    with passes.race(sizes, missing) as race:
        costs = race.context()
        table.context(console, costs, machine())
        _run(console, race, turns)
    _show(console, given.workloads, given.engines, race)
    console.print(f"results: bench/results/{_store(race, sizes, costs).name}")
    met = all(t.verdict(race.samples) == "PASS" for t in TARGETS if t.workload in given.workloads)
    return 1 if given.strict and not met else 0


def _console() -> Console:
    """As wide as the widest table where nobody looks: in a file or a pipe."""
    return Console() if sys.stdout.isatty() else Console(width=150)


def _run(console: Console, race: Race, turns: list[Turn]) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        task = progress.add_task("", total=len(turns))

        def before(turn: Turn) -> None:
            says = f"{turn.workload} pass {turn.turn + 1} {turn.engine.title}"
            progress.update(task, description=f"{says:<44}", completed=turns.index(turn))

        passes.run(race, turns, before)


def _show(
    console: Console, workloads: Sequence[str], engines: Sequence[Engine], race: Race
) -> None:
    for name in workloads:
        table.workload(console, name, engines, race.samples)
    table.ratios(console, engines, race.samples)
    table.targets(console, workloads, race.samples)


def _store(race: Race, sizes: Sizes, costs: Metrics) -> Path:
    now = datetime.now(UTC)
    path = RESULTS / f"{now:%Y%m%dT%H%M%SZ}.json"
    found = {
        "at": now.isoformat(timespec="seconds"),
        "machine": machine(),
        "costs": costs,
        "sizes": asdict(sizes),
        "peers": peers.versions(),
        **race.samples.as_json(),
    }
    path.write_text(json.dumps(found, indent=1))
    return path


if __name__ == "__main__":
    raise SystemExit(main())
