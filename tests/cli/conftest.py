"""A project in a folder of its own, and the command line, in a process or in this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

PROGRAM = Path(sys.executable).with_name("drawloom")

TOOLS = '''\
"""Tools that wait for a file, and tools that leave a trace."""

from __future__ import annotations

import asyncio
from pathlib import Path

from drawloom.sdk import tool

HERE = Path(__file__).parent


async def opened() -> None:
    while not (HERE / "gate").exists():
        await asyncio.sleep(0.01)


@tool(effect="read")
async def gate(value: int = 0) -> int:
    """Wait until the gate is open."""
    await opened()
    return value


@tool(effect="once")
async def pay(amount: int) -> dict[str, int]:
    """Pay, which must never happen twice, and wait for the gate."""
    with (HERE / "paid").open("a") as file:
        file.write(f"{amount}\\n")
    await opened()
    return {"paid": amount}


@tool(effect="idempotent")
def mark(name: str) -> str:
    """Leave a mark."""
    with (HERE / "marks").open("a") as file:
        file.write(f"{name}\\n")
    return name
'''

CHAINS = {
    "double": """\
chain: double
input:
  n: {type: integer, default: 2, maximum: 100}
steps:
  twice: {use: core.transform, with: {value: "${input.n * 2}"}}
  each: {use: core.transform, for_each: "${[1..3]}", with: {value: "${item * steps.twice.value}"}}
output: {twice: "${steps.twice.value}", each: "${steps.each.value}"}
""",
    "failing": """\
chain: failing
steps:
  bad: {use: core.fail, with: {message: "no \\e[31mluck"}}
""",
    "waiting": """\
chain: waiting
steps:
  held: {use: my.gate, with: {value: 7}}
  after: {use: my.mark, with: {name: "${'after-' & run.id}"}, after: [held]}
output: {value: "${steps.held}"}
""",
    "paying": """\
chain: paying
input: {amount: {type: integer, default: 5}}
steps:
  pay: {use: my.pay, with: {amount: "${input.amount}"}}
output: {paid: "${steps.pay.paid}"}
""",
}


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Bench:
    """A project's folder, and ways to use the command line in it."""

    folder: Path
    capture: pytest.CaptureFixture[str]
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def here(self, *words: object, input: str | None = None) -> Done:
        """Run a command in this process, with *input* as its stdin if it is given."""
        from drawloom.cli.ending import execute

        self.capture.readouterr()
        stdin = sys.stdin if input is None else TextIOWrapper(BytesIO(input.encode()))
        with patch.object(sys, "stdin", stdin):
            code = execute([str(word) for word in words])
        told = self.capture.readouterr()
        return Done(code, told.out, told.err)

    def apart(self, *words: object, input: str | None = None, **environment: str) -> Done:
        """Run the installed command in a process of its own."""
        done = subprocess.run(
            [PROGRAM, *map(str, words)],
            cwd=self.folder,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            input=input,
            timeout=60,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, *words: object) -> subprocess.Popen[str]:
        """Start the installed command, and go on."""
        process = subprocess.Popen(
            [PROGRAM, *map(str, words)],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def until(self, process: subprocess.Popen[str], *words: str) -> str:
        """Read what a process tells until all of *words* have come; all that was read."""
        assert process.stderr is not None
        told = ""
        for line in process.stderr:
            told += line
            if all(word in told for word in words):
                return told
        raise AssertionError(f"it ended without saying all of {words!r}: {told}")

    def under_way(self, step: str, *words: object) -> subprocess.Popen[str]:
        """Start `drawloom run …`; go on once *step* runs and the start is acknowledged."""
        process = self.start("run", *words)
        self.until(process, f"{step}: running", ": started")
        return process

    def ended(self, process: subprocess.Popen[str]) -> Done:
        """Wait for the end of a started command."""
        out, err = process.communicate(timeout=60)
        return Done(process.returncode, out, err)

    def open_gate(self) -> None:
        (self.folder / "gate").touch()

    def runs(self) -> list[dict[str, Any]]:
        """What `runs list` says, the first run first."""
        listed: list[dict[str, Any]] = self.here("runs", "list", "--json").json["runs"]
        return listed[::-1]

    def lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Bench]:
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "DRAWLOOM_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "drawloom.toml").write_text('tools = ["tools.py"]\n')
    (tmp_path / "tools.py").write_text(TOOLS)
    for name, text in CHAINS.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    made = Bench(tmp_path, capsys)
    yield made
    for process in made.started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def ran(bench: Bench) -> Callable[..., str]:
    """Run a chain here; the id of the run."""

    def run(chain: str, *words: str) -> str:
        return str(bench.here("run", f"{chain}.yaml", "--json", *words).json["run"])

    return run
