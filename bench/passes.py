"""Which process runs when: one at a time, and A B C A B C within a workload.

Interleaved passes let every engine meet the same drift of the machine.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.engines import ENGINES, SLOW, Engine, Home
from bench.measure import Metrics
from bench.processes import HERE, Unmeasured, ask
from bench.recovery import recover
from bench.samples import Sample, Samples
from bench.sizes import Sizes
from bench.start import cold, commands
from bench.steps import document

RESULTS = HERE / "results"


@dataclass(frozen=True, slots=True)
class Turn:
    """One process to run."""

    workload: str
    engine: Engine
    turn: int


def planned(
    workloads: Sequence[str], engines: Sequence[Engine], passes: int, quick: bool
) -> list[Turn]:
    """All turns in their order, without what an engine lacks or `--quick` leaves out."""
    return [
        Turn(workload, engine, turn)
        for workload in workloads
        for turn in range(passes)
        for engine in engines
        if workload not in engine.lacks and not (quick and (workload, engine.name) in SLOW)
    ]


class Race:
    """A folder for states on the disk that is measured, and what was found."""

    def __init__(self, folder: Path, sizes: Sizes, missing: Mapping[Home, str]) -> None:
        self.folder = folder
        self.sizes = sizes
        self.missing = missing
        self.samples = Samples()
        self._rows = folder / "rows.json"  # the document of W4, for node
        self._rows.write_text(json.dumps(document(sizes.document)))

    def context(self) -> Metrics:
        """What an await and a sync cost, before anything else."""
        with self._state() as state:
            found: Metrics = ask(ENGINES[0], "machine", {"state": str(state)})["metrics"]
        return found

    def take(self, turn: Turn) -> None:
        """Run one process, and keep what it measured or why it did not."""
        key = (turn.workload, turn.engine.name)
        if why := self.missing.get(turn.engine.home, ""):
            self.samples.missing[key] = why
            return
        try:
            found = self._measured(turn)
        except Unmeasured as error:
            self.samples.missing[key] = str(error)
            return
        self.samples.add(Sample(turn.workload, turn.engine.name, turn.turn, found))

    def _measured(self, turn: Turn) -> Metrics:
        with self._state() as state:
            if turn.engine.name == "drawloom-cli":
                return commands(state, self.sizes.starts)
            if turn.workload == "W5":
                return cold(turn.engine, state, self.sizes.starts)
            if turn.workload == "W6":
                return recover(turn.engine, state, self.sizes.recovered)
            if turn.workload == "W8":
                return self._kept(turn.engine, state)
            found: Metrics = ask(turn.engine, turn.workload, self._options(state))["metrics"]
            return found

    def _kept(self, engine: Engine, state: Path) -> Metrics:
        """W8: the same work in states of growing size; the biggest is filled once."""
        found: Metrics = {}
        costs = []
        for stored in self.sizes.kept:
            last = stored == self.sizes.kept[-1]
            held = (self.folder / f"{engine.name}-kept") if last else state / str(stored)
            if not held.exists():
                held.mkdir()
                ask(engine, "fill", {**self._options(held), "stored": stored}, timeout=600)
            line: Metrics = ask(engine, "W8", self._options(held))["metrics"]
            costs.append(line["step_us"])
            found[f"step_us_{stored}"] = line["step_us"]
            found[f"open_ms_{stored}"] = line["open_ms"]
        return {**found, "growth": costs[-1] / costs[0]}

    def _options(self, state: Path) -> dict[str, Any]:
        return {**asdict(self.sizes), "state": str(state), "rows": str(self._rows)}

    @contextmanager
    def _state(self) -> Iterator[Path]:
        folder = Path(tempfile.mkdtemp(prefix="state-", dir=self.folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def race(sizes: Sizes, missing: Mapping[Home, str]) -> Iterator[Race]:
    """A race whose states lie beside the results, on the same disk as the checkout."""
    RESULTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="race-", dir=RESULTS) as folder:
        yield Race(Path(folder), sizes, missing)


def run(race: Race, turns: Sequence[Turn], before: Callable[[Turn], None]) -> None:
    """Take every turn, one after the other; *before* each, tell which."""
    for turn in turns:
        before(turn)
        race.take(turn)
