"""The whole palette can be listed, checked and documented without any vendor's library."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src/drawloom"

PALETTE = """
import sys
sys.modules.update(dict.fromkeys(sys.argv[1:]))
from drawloom.runtime import Catalogue
catalogue = Catalogue()
for name in catalogue.connectors():
    connector = catalogue.connector(name)
    if connector.connection is not None:
        connector.connection.model_json_schema()
for tool in catalogue.tools():
    tool.input_schema, tool.output_schema
    print(tool.name)
"""

# The engine itself needs these; a connector that names one brings no vendor with it.
OWN = {"apsw", "jsonschema_rs", "jlens", "msgspec", "pydantic"}


def vendors() -> set[str]:
    """The import names of all packages that any connector requires."""
    wanted = set()
    for path in SOURCE.glob("connectors/**/connector.toml"):
        for line in tomllib.loads(path.read_text())["requires"]:
            wanted.add(re.split(r"[^\w.-]", line)[0].lower())
    owners = importlib.metadata.packages_distributions().items()
    found = {module for module, names in owners if wanted & {n.lower() for n in names}}
    return (found | {name.replace("-", "_") for name in wanted}) - OWN


def test_all_tools_are_listed_with_every_vendor_blocked() -> None:
    blocked = sorted(vendors())
    assert {"aiohttp", "asyncmy", "asyncpg", "pymongo", "redis"} <= set(blocked)
    done = subprocess.run(
        [sys.executable, "-c", PALETTE, *blocked],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    listed = done.stdout.split()
    for tool in (
        "core.transform",
        "files.read_csv",
        "http.get",
        "sqlite.query",
        "postgresql.query",
        "mongodb.find",
        "mysql.query",
        "redis.get",
    ):
        assert tool in listed


def test_blocking_a_vendor_really_blocks_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys; sys.modules['aiohttp'] = None; import aiohttp"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "ModuleNotFoundError" in done.stderr
