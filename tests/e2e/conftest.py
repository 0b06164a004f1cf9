"""A project with tools that misbehave, used through the installed command as a stranger would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(sys.executable).with_name("drawloom")

TOOLS = '''\
"""Tools that a project should not have."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from pathlib import Path
from typing import Any

from drawloom.sdk import tool

HERE = Path(__file__).parent


def trace(name: str) -> None:
    with (HERE / name).open("a") as file:
        file.write("x\\n")


@tool(effect="keyed")
def first() -> int:
    """Quick, and on disk before anything rests on it."""
    return 1


@tool(effect="once")
def raises() -> int:
    """Raise."""
    raise RuntimeError("out of cheese")


@tool(effect="pure")
def lies() -> int:
    """Give text where a number was promised."""
    return "many"  # type: ignore[return-value]


@tool(effect="pure")
def gives_an_object() -> dict[str, Any]:
    """Give what JSON has no form for."""
    return {"a": {"b": object()}}


@tool(effect="pure")
def gives_depth() -> list[Any]:
    """Give lists in lists."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    return deep


@tool(effect="pure")
def gives_digits() -> int:
    """Give an integer of 5,000 digits."""
    return 10**4999


@tool(effect="once")
def leaves() -> int:
    """Ask Python to end."""
    sys.exit(7)


@tool(effect="read")
def hangs() -> int:
    """Never end, in a thread."""
    threading.Event().wait()
    return 1


@tool(effect="once")
async def hangs_once() -> int:
    """Never end, on the loop, and nobody knows what it did."""
    await asyncio.Event().wait()
    return 1


@tool(effect="once")
def kills_once(after: int) -> int:
    """Kill the process in the middle of an effect."""
    trace("killed-once")
    os._exit(9)


@tool(effect="read")
async def kills(after: int) -> int:
    """Kill the process while looking."""
    trace("killed")
    os._exit(9)


@tool(effect="pure")
def long_text(length: int) -> str:
    """Give a long text."""
    return "x" * length
'''


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def both(self) -> str:
        return self.out + self.err


@dataclass
class Stranger:
    """Somebody in a project's folder who types commands."""

    folder: Path
    environment: dict[str, str] = field(default_factory=lambda: {**os.environ})

    def types(self, *words: object, given: str | bytes | None = None, **kwargs: Any) -> Done:
        """Type `drawloom` and *words*; *given* is what stdin has."""
        stdin = given.encode() if isinstance(given, str) else given
        done = subprocess.run(
            [PROGRAM, *map(str, words)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            input=stdin or b"",
            timeout=120,
            check=False,
            **kwargs,
        )
        out, err = done.stdout.decode(), done.stderr.decode()
        assert "Traceback" not in out + err
        assert "This is a bug in Drawloom" not in out + err
        return Done(done.returncode, out, err)

    def writes(self, name: str, text: str | bytes) -> str:
        path = self.folder / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return name

    def count(self, name: str) -> int:
        path = self.folder / name
        return len(path.read_text().splitlines()) if path.exists() else 0

    @property
    def started_something(self) -> bool:
        return (self.folder / ".drawloom").exists()


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stranger]:
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "DRAWLOOM_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    made = Stranger(tmp_path)
    made.writes("drawloom.toml", 'tools = ["tools.py"]\n')
    made.writes("tools.py", TOOLS)
    yield made
