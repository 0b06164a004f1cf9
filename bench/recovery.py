"""W6: runs are killed midway with SIGKILL, and a new process takes them up.

What happened is read from the effect log that the steps themselves wrote, never
from what an engine says of itself.
"""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.engines import Engine
from bench.measure import Metrics
from bench.processes import ROOT, Unmeasured, ask, command, environment
from bench.steps import LENGTH

STEP_SECONDS = 0.05
PATIENCE = 60.0  # seconds until a life is given up


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the effect log."""

    run: int
    step: int
    word: str  # started, begin or end
    at: int  # nanoseconds on the machine's monotonic clock


def read(path: Path) -> list[Line]:
    """What was done; empty before the first effect."""
    if not path.exists():
        return []
    parts = (line.split() for line in path.read_text().splitlines())
    return [Line(int(r), int(s), word, int(at)) for r, s, word, at in parts]


def recover(engine: Engine, state: Path, runs: int) -> Metrics:
    """Kill *engine* in the middle of its runs, start it again, and tell what that did."""
    first, second = state / "first.log", state / "second.log"
    options = {"state": str(state), "recovered": runs, "step_seconds": STEP_SECONDS}
    _live_until_half(engine, {**options, "log": str(first)}, first, runs)
    spawned = time.monotonic_ns()
    ask(engine, "W6-resume", {**options, "log": str(second)}, timeout=PATIENCE)
    return judged(read(first), read(second), spawned)


def _live_until_half(engine: Engine, options: dict[str, Any], log: Path, runs: int) -> None:
    process = subprocess.Popen(
        command(engine, "W6-begin", options),
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _wait_for_half(process, log, runs)
    finally:
        process.kill()
        _, errors = process.communicate()
    lines = read(log)
    if sum(line.word == "started" for line in lines) < runs or _all_done(lines, runs):
        raise Unmeasured(f"was not killed in the middle of its runs. {errors[-200:]}")


def _wait_for_half(process: subprocess.Popen[str], log: Path, runs: int) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        words = Counter(line.word for line in read(log))
        if words["started"] == runs and words["end"] >= runs * LENGTH // 2:
            return
        time.sleep(0.002)


def _all_done(lines: Iterable[Line], runs: int) -> bool:
    return sum(line.word == "end" for line in lines) >= runs * LENGTH


def judged(first: list[Line], second: list[Line], spawned: int) -> Metrics:
    """What was lost, what was done twice, and how long it took."""
    begun = Counter((x.run, x.step) for x in first + second if x.word == "begin")
    ended = {(x.run, x.step) for x in first if x.word == "end"}
    again = {(x.run, x.step) for x in second if x.word == "begin"}
    acknowledged = {x.run for x in first if x.word == "started"}
    last = {x.run for x in first + second if x.word == "end" and x.step == LENGTH - 1}
    if not again:
        raise Unmeasured("no step was taken after the start: nothing was recovered")
    return {
        "first_step_s": (min(x.at for x in second if x.word == "begin") - spawned) / 1e9,
        "done_s": (max(x.at for x in second if x.word == "end") - spawned) / 1e9,
        "lost": len(acknowledged - last),
        "repeated": sum(times == 2 for times in begun.values()),
        "repeated_more": sum(times > 2 for times in begun.values()),
        "redone": len(ended & again),
    }
