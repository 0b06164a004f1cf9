"""`drawloom secrets`: set from a pipe, used by a run, listed without values."""

from __future__ import annotations

import pytest

from .conftest import Bench

LAB = '''

from contextlib import asynccontextmanager

from drawloom.sdk import Connection, Connector, Secret


class Lab(Connection):
    host: str = "here"
    password: Secret | None = None

    @asynccontextmanager
    async def open(self, doors):
        yield self.password.open_secret()


lab = Connector("lab", Lab)


@lab.tool(effect="read")
async def length(client) -> int:
    """How long the secret is."""
    return len(client)
'''
CHAIN = """\
chain: measure
connections: {lab: lab}
steps:
  length: {use: lab.length, on: lab}
output: "${steps.length}"
"""
SETTINGS = """
[connections.lab]
kind = "lab"
password = {vault = "door"}
"""


@pytest.fixture
def lab(bench: Bench) -> Bench:
    with (bench.folder / "tools.py").open("a") as file:
        file.write(LAB)
    with (bench.folder / "drawloom.toml").open("a") as file:
        file.write(SETTINGS)
    (bench.folder / "measure.yaml").write_text(CHAIN)
    return bench


def test_a_secret_from_a_pipe_is_used_by_a_run(lab: Bench) -> None:
    done = lab.apart("secrets", "set", "door", "--stdin", "--json", input="hunter22\n")
    assert done.json == {"secret": "door", "version": 1}, done.err
    assert lab.here("run", "measure.yaml", "--json").json["output"] == 8
    listed = lab.here("secrets", "list", "--json")
    [secret] = listed.json["secrets"]
    assert (secret["name"], secret["version"], secret["used_by"]) == ("door", 1, ["lab"])
    assert "hunter22" not in listed.out + listed.err


def test_a_run_whose_secret_is_not_set_says_which(lab: Bench) -> None:
    done = lab.here("run", "measure.yaml", "--json")
    assert done.code == 1
    assert done.json["failure"]["kind"] == "denied"
    assert "password: there is no secret 'door'" in done.json["failure"]["message"]
