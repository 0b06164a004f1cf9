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


def check_of(lab: Bench) -> tuple[str, str]:
    """What `doctor` finds of the vault."""
    checks = lab.here("doctor", "--json").json["checks"]
    [found] = [check for check in checks if check["name"] == "vault"]
    return found["grade"], found["found"]


def test_doctor_opens_every_secret(lab: Bench) -> None:
    assert check_of(lab) == ("error", "there is no secret 'door'; `drawloom secrets set door`")
    (lab.folder / "value").write_text("hunter22\n")
    lab.here("secrets", "set", "door", "--file", "value")
    assert check_of(lab) == ("ok", "the root key opens all secrets: 1")
    (lab.folder / ".drawloom/root.key").chmod(0o644)
    grade, found = check_of(lab)
    assert grade == "error"
    assert "chmod 600" in found


def test_a_weak_root_key_ends_with_the_code_of_an_unusable_state(lab: Bench) -> None:
    (lab.folder / "value").write_text("hunter22\n")
    lab.here("secrets", "set", "door", "--file", "value")
    (lab.folder / ".drawloom/root.key").chmod(0o644)
    done = lab.here("secrets", "set", "door", "--file", "value", "--json")
    assert (done.code, done.json["error"]["kind"]) == (3, "VaultUnusable")
    assert lab.here("secrets", "list").code == 0  # names need no key


def test_keys_are_rotated_and_every_change_is_told(lab: Bench) -> None:
    (lab.folder / "value").write_text("hunter22\n")
    lab.here("secrets", "set", "door", "--file", "value")
    [before] = lab.here("secrets", "list", "--json").json["secrets"]
    key = lab.here("secrets", "rotate-key", "--json").json["key"]
    assert lab.here("secrets", "rewrap", "--json").json == {
        "rewrapped": 1,
        "dropped": [before["key"]],
    }
    [after] = lab.here("secrets", "list", "--json").json["secrets"]
    assert (after["key"], after["version"]) == (key, 1)
    assert lab.here("run", "measure.yaml", "--json").json["output"] == 8
    changes = lab.here("secrets", "log", "--json").json["changes"]
    assert [c["did"] for c in changes] == ["rewrapped", "rotated key", "set secret", "made key"]
    assert lab.here("secrets", "remove", "door").code == 2
    assert lab.here("secrets", "remove", "door", "--force").code == 0


def test_a_value_on_the_command_line_is_no_way_to_set_one(lab: Bench) -> None:
    done = lab.here("secrets", "set", "door", "hunter22")
    assert done.code == 2
    assert "no argument, which others can see; give --stdin" in done.err
    assert "hunter22" not in done.out + done.err
    assert lab.here("secrets", "list", "--json").json == {"secrets": []}
