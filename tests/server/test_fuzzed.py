"""The whole API, asked with whatever its own description allows, and with what it does not."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from tests.server.conftest import Served

from drawloom.access.principal import Role

pytestmark = pytest.mark.slow

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance"
CONFIG = """
[parameters]
"path.id" = ["{run}", "nope"]
"path.name" = ["hello", "my.greeting", "nope"]
"""


@pytest.mark.parametrize("role", [Role.VIEWER, Role.AUTHOR, Role.OWNER])
async def test_nothing_that_is_asked_breaks_it(served: Served, role: Role, tmp_path: Path) -> None:
    run = (await served("POST", "/runs", json={"chain": "hello"})).json["run"]
    await served.studio.engine.wait(run)
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG.format(run=run))
    asking = await asyncio.create_subprocess_exec(
        *(Path(sys.executable).with_name("st"), "--config-file", config, "run"),
        *(f"{served.url}/openapi.json", "--checks", CHECKS, "--max-examples", "4"),
        *("-H", f"Authorization: Bearer {await served.token(role)}"),
        *("--phases", "examples,coverage,fuzzing", "--no-color"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=tmp_path,
    )
    said, _ = await asking.communicate()
    assert asking.returncode == 0, said.decode()
    assert "Tested: 24" in said.decode(), "no route is left out"
