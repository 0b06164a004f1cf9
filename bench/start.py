"""W5: from nothing to the first result, as a person at a shell waits for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from time import perf_counter

from bench.engines import Engine
from bench.measure import Metrics, percentile
from bench.processes import HERE, ROOT, Unmeasured, ask, environment

CHAIN = HERE / "one-step.yaml"


def cold(engine: Engine, state: Path, times: int) -> Metrics:
    """Milliseconds to one run of ten steps.

    A new process each time, but not a new machine: the first one, which reads the
    files from disk and may write bytecode, is not counted.
    """
    options = {"state": str(state)}
    line = ask(engine, "cold", options)
    taken = []
    for _ in range(times):
        before = perf_counter()
        ask(engine, "cold", options)
        taken.append((perf_counter() - before) * 1e3)
    found: Metrics = {"first_ms": percentile(taken, 0.5), "rss_mb": line["metrics"]["rss_mb"]}
    if engine.name == "bare":
        found["python_ms"] = wall([sys.executable, "-c", "pass"], ROOT, times)
    return found


def commands(folder: Path, times: int) -> Metrics:
    """The command line: `drawloom run` of a chain of one step, and `--help`."""
    drawloom = str(Path(sys.executable).with_name("drawloom"))
    chain = folder / CHAIN.name
    chain.write_text(CHAIN.read_text())
    (folder / "drawloom.toml").write_text("")
    return {
        "run_ms": wall([drawloom, "run", chain.name], folder, times),
        "help_ms": wall([drawloom, "--help"], folder, times),
    }


def wall(argv: list[str], folder: Path, times: int) -> float:
    """The median milliseconds of a command that must succeed, after one uncounted call."""
    taken = []
    for _ in range(times + 1):
        before = perf_counter()
        try:
            done = subprocess.run(
                argv,
                check=False,
                cwd=folder,
                env=environment(),
                capture_output=True,
                text=True,
                timeout=60,
            )
        except FileNotFoundError:
            raise Unmeasured(f"{argv[0]} is not there") from None
        taken.append((perf_counter() - before) * 1e3)
        if done.returncode:
            raise Unmeasured(f"{' '.join(argv[1:])}: {(done.stderr or done.stdout)[-200:]}")
    return percentile(taken[1:], 0.5)
