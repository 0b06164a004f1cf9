"""The reference is complete and current: it names everything that there is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from drawloom.chains.rules import RULES
from drawloom.chains.schema import chain_schema
from drawloom.errors import FailureKind
from drawloom.kernel import TRANSITIONS
from drawloom.policies import Effect
from drawloom.project import Settings
from drawloom.runtime import Catalogue

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs/reference"


def page(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


def generate(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, folder / "tools/reference", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_generated_pages_are_current() -> None:
    done = generate("--check")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_a_page_that_is_out_of_date_is_noticed(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    (tmp_path / "src").symlink_to(ROOT / "src")
    old = tmp_path / "docs/reference/failures.md"
    old.write_text(old.read_text().replace("`throttled`", "`thwarted`"))
    done = generate("--check", folder=tmp_path)
    assert done.returncode == 1
    assert "failures.md is out of date" in done.stdout


def test_every_command_has_its_own_text() -> None:
    from drawloom.cli.commands import app_for

    text = page("cli.md")
    app = app_for()
    for group in ("runs", "tools", "cache", "schema"):
        for name in app[group]:
            if not name.startswith("-"):
                assert f"\n#### drawloom {group} {name}\n" in text


def test_every_tool_and_each_of_its_fields_is_named() -> None:
    for tool in Catalogue().tools():
        text = page(f"tools/{tool.name.partition('.')[0]}.md")
        assert f"### `{tool.name}`" in text
        assert tool.name in page("tools/index.md")
        for field in tool.input_schema.get("properties", {}):
            assert f"`{field}`" in text, f"{tool.name}: {field}"


def test_every_setting_is_named() -> None:
    catalogue, text = Catalogue(), page("settings.md")
    for name in catalogue.connectors():
        kind = catalogue.connector(name).connection
        for field in kind.model_json_schema()["properties"] if kind else ():
            assert f"`{field}`" in text, f"{name}: {field}"


def test_every_setting_of_a_project_is_named() -> None:
    text = page("settings.md")
    example = tomllib.loads(text.partition("```toml\n")[2].partition("```")[0])
    named = {*example, *example["state"]}
    named |= {"memory"} & example["engine"].keys()
    named |= {"code_steps"} if "enabled" in example["code"] else set()
    named |= {"sandbox"} & example["code"].keys()
    named |= {"cgroup"} & example["isolation"].keys()
    known = {f.name.removeprefix("state_") for f in fields(Settings)}
    assert known <= named


def test_every_finding_is_named() -> None:
    text = page("findings.md")
    for name, meaning in RULES.items():
        assert f"| `{name}` | {meaning} |" in text


def test_every_command_is_named() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("drawloom"), "--help"],
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    commands = set(re.findall(r"^  ([a-z]+): ", done.stdout, re.MULTILINE))
    assert {"run", "check", "runs", "tools", "schema", "doctor", "init"} <= commands
    for command in commands:
        assert f"drawloom {command}" in page("cli.md"), command


def test_every_field_of_a_chain_and_a_step_is_named() -> None:
    schema, text = chain_schema(), page("chain.md")
    step = schema["$defs"]["step"]["properties"]
    for field in (*schema["properties"], *step, *step["retry"]["properties"]):
        assert f"`{field}`" in text, field


def test_every_failure_kind_and_effect_is_named() -> None:
    for word in (*FailureKind, *Effect):
        assert f"`{word}`" in page("failures.md"), word


@pytest.mark.parametrize("status", TRANSITIONS)
def test_every_transition_is_named_and_drawn(status: str) -> None:
    text = page("steps.md")
    assert f"| `{status}` |" in text
    for why, after in TRANSITIONS[status].items():
        assert f"| `{status}` | {why} | `{after}` |" in text
        assert f"{status} --> {after}: {why}" in text
