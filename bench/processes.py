"""Every measurement runs in a process of its own, so that memory and warmth are its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.engines import Engine

HERE = Path(__file__).parent
ROOT = HERE.parent
PEERS = HERE / ".venv" / "bin" / "python"
NODE = HERE / "node" / "nodered.js"

# Peers that call home or trace by default would be measured doing so.
QUIET = {
    "HAMILTON_TELEMETRY_ENABLED": "false",
    "LANGSMITH_TRACING": "false",
    "DO_NOT_TRACK": "1",
    "PYTHONWARNINGS": "ignore",
    "PYTHONUNBUFFERED": "1",
}


class Unmeasured(Exception):
    """A process gave no figures; the message says why."""


def environment() -> dict[str, str]:
    """That of this process, with the peers' own measuring switched off.

    Bytecode may be kept, whatever this process was told: compiling at every start
    is not what a cold start costs where people work.
    """
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, **QUIET, "PYTHONPATH": str(ROOT)}


def command(engine: Engine, workload: str, options: dict[str, Any]) -> list[str]:
    """What to run for one measurement."""
    if engine.home == "node":
        return ["node", str(NODE), workload, json.dumps(options)]
    python = sys.executable if engine.home == "here" else str(PEERS)
    return [python, "-m", "bench.worker", engine.name, workload, json.dumps(options)]


def ask(
    engine: Engine, workload: str, options: dict[str, Any], timeout: float = 300
) -> dict[str, Any]:
    """Run one measurement to its end; its line of JSON."""
    argv = command(engine, workload, options)
    try:
        done = subprocess.run(
            argv,
            check=False,  # what a process that failed has said is reported below
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        raise Unmeasured(f"took more than {timeout:.0f} s") from None
    return answer(done.stdout, done.stderr)


def answer(out: str, errors: str) -> dict[str, Any]:
    """The last line of *out* as JSON, or `Unmeasured` with the end of what went wrong."""
    last = out.strip().rpartition("\n")[2]
    if not last.startswith("{"):
        said = [line for line in errors.splitlines() if line.strip()]
        raise Unmeasured(said[-1][:300] if said else "the process ended without a word")
    line: dict[str, Any] = json.loads(last)
    if "error" in line:
        raise Unmeasured(str(line["error"])[:300])
    return line
