"""`drawloom --help` loads nothing heavy, so that it answers at once."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "aiohttp",
    "apsw",
    "asyncpg",
    "jlens",
    "jsonpath_rfc9535",
    "jsonschema_rs",
    "msgspec",
    "pydantic",
    "redis",
    "ruamel",
    "sqlite3",
}


def imported(*arguments: str) -> set[str]:
    """The top-level modules that the command line loads for *arguments*."""
    program = Path(sys.executable).with_name("drawloom")
    done = subprocess.run(
        [sys.executable, "-X", "importtime", program, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(re.findall(r"^import time:.*\| +([A-Za-z_0-9]+)", done.stderr, re.MULTILINE))


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"]], ids=" ".join)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    loaded = imported(*arguments)
    assert "drawloom" in loaded
    assert loaded & HEAVY == set()


def test_listing_tools_loads_no_vendor() -> None:
    loaded = imported("tools", "list")
    assert "pydantic" in loaded  # so the measurement sees what is loaded late
    assert loaded & {"aiohttp", "asyncpg", "redis"} == set()


def test_the_library_is_light_to_import() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys, drawloom; print(*sys.modules)"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert {m.partition(".")[0] for m in done.stdout.split()} & {
        "aiohttp",
        "asyncpg",
        "redis",
    } == set()
