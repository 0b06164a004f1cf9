"""`drawloom secrets`: set from a pipe, used by a run, listed without values."""

from __future__ import annotations

import base64
import os

import pytest

from drawloom.vault.root_key import name_of

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


def test_a_removal_says_in_json_what_is_gone(lab: Bench) -> None:
    lab.apart("secrets", "set", "door", "--stdin", input="hunter22\n")
    refused = lab.here("secrets", "remove", "door", "--json")
    assert (refused.code, refused.json["error"]["kind"]) == (2, "ValueInvalid")
    assert lab.here("secrets", "remove", "door", "--force", "--json").json == {"removed": "door"}


def test_the_root_key_is_rotated_and_the_secrets_are_as_before(lab: Bench) -> None:
    lab.apart("secrets", "set", "door", "--stdin", input="hunter22\n")
    file = lab.folder / ".drawloom/root.key"
    old = file.read_bytes()
    told = lab.here("secrets", "rotate-root", "--json").json
    assert told == {"root_key": name_of(file.read_bytes()), "place": str(file)}
    assert file.read_bytes() != old
    assert lab.here("run", "measure.yaml", "--json").json["output"] == 8
    assert check_of(lab)[0] == "ok"
    [last, *_] = lab.here("secrets", "log", "--json").json["changes"]
    assert (last["did"], last["what"]) == ("rotated root key", told["root_key"])
    assert str(file) in lab.here("secrets", "rotate-root").err


def test_a_root_key_of_the_environment_is_rotated_by_who_set_it(lab: Bench) -> None:
    old, new = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))
    set_ = ("secrets", "set", "door", "--stdin")
    assert lab.apart(*set_, input="hunter22\n", DRAWLOOM_ROOT_KEY=old).code == 0
    alone = lab.apart("secrets", "rotate-root", DRAWLOOM_ROOT_KEY=old)
    assert alone.code == 2
    assert "put a new one into DRAWLOOM_ROOT_KEY_NEXT" in alone.err
    both = {"DRAWLOOM_ROOT_KEY": old, "DRAWLOOM_ROOT_KEY_NEXT": new}
    done = lab.apart("secrets", "rotate-root", **both)
    assert done.code == 0, done.err
    assert "Put it into DRAWLOOM_ROOT_KEY wherever Drawloom runs" in done.err
    assert old not in done.out + done.err
    assert new not in done.out + done.err
    run = ("run", "measure.yaml", "--json")
    for given in (both, {"DRAWLOOM_ROOT_KEY": new}):
        assert lab.apart(*run, **given).json["output"] == 8
    assert "another root key" in lab.apart(*run, DRAWLOOM_ROOT_KEY=old).json["failure"]["message"]


def test_another_state_directory_has_the_vault_of_the_project(lab: Bench) -> None:
    lab.apart("secrets", "set", "door", "--stdin", input="hunter22\n")
    done = lab.here("run", "measure.yaml", "--state", "elsewhere", "--json")
    assert done.json["output"] == 8
    assert (lab.folder / "elsewhere").is_dir()
    assert not list((lab.folder / "elsewhere").glob("vault*"))
    assert "where the vault is in any case" in " ".join(lab.here("run", "--help").out.split())


def test_a_value_on_the_command_line_is_no_way_to_set_one(lab: Bench) -> None:
    done = lab.here("secrets", "set", "door", "hunter22")
    assert done.code == 2
    assert "no argument, which others can see; give --stdin" in done.err
    assert "hunter22" not in done.out + done.err
    assert lab.here("secrets", "list", "--json").json == {"secrets": []}
