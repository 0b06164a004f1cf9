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
    "asyncmy",
    "asyncpg",
    "cronsim",
    "cryptography",
    "jlens",
    "jsonpath_rfc9535",
    "jsonschema_rs",
    "keyring",
    "msgspec",
    "pydantic",
    "pymongo",
    "redis",
    "ruamel",
    "sqlite3",
}


# Of Drawloom itself, no more than the command line.
ROOMS = {"drawloom", "drawloom.cli", "drawloom.errors"}


def imported(*arguments: str) -> set[str]:
    """The packages that the command line loads for *arguments*."""
    return {name.partition(".")[0] for name in modules(*arguments)}


def modules(*arguments: str) -> set[str]:
    """The modules that it loads."""
    program = Path(sys.executable).with_name("drawloom")
    done = subprocess.run(
        [sys.executable, "-X", "importtime", program, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(re.findall(r"^import time:.*\| +([A-Za-z_0-9.]+)", done.stderr, re.MULTILINE))


HELP = [
    *(["--help"], ["--version"], ["run", "--help"]),
    *(["secrets", "--help"], ["secrets", "rotate-root", "--help"], ["connections", "--help"]),
    *(["triggers", "--help"], ["triggers", "next", "--help"]),
]


@pytest.mark.parametrize("arguments", HELP, ids=" ".join)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    loaded = modules(*arguments)
    assert "drawloom.cli.commands" in loaded
    assert {name.partition(".")[0] for name in loaded} & HEAVY == set()
    ours = {".".join(name.split(".")[:2]) for name in loaded if name.startswith("drawloom")}
    assert ours <= ROOMS


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
