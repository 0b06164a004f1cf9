"""Finding tools: lazily, by name, with suggestions, and from other distributions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from drawloom.runtime import Catalogue, UnknownTool
from drawloom.sdk import tool


def test_only_the_connector_that_is_asked_for_is_imported() -> None:
    code = (
        "import sys; from drawloom.runtime import Catalogue; c = Catalogue();"
        "print(c.connectors()); before = {m for m in sys.modules if m.startswith('drawloom.connectors.')};"
        "assert not before, before; c.find('core.transform');"
        "print(sorted({m.split('.')[2] for m in sys.modules if m.startswith('drawloom.connectors.')}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names, imported = done.stdout.splitlines()
    assert "'core'" in names and "'http'" in names
    assert imported == "['core']"


def test_a_tool_of_a_connector_is_found_by_its_name() -> None:
    found = Catalogue().find("core.transform")
    assert found.name == "core.transform"
    assert found in list(Catalogue().tools())


def test_own_tools_come_before_those_of_connectors() -> None:
    @tool(name="core.transform", effect="pure")
    def mine() -> int:
        """Stand in for another."""
        return 1

    assert Catalogue([mine]).find("core.transform") is mine


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("core.transfrom", "core.transform"),
        ("cor.transform", "core.transform"),
        ("my.ehco", "my.echo"),
    ],
)
def test_a_misspelt_name_gets_the_nearest(wrong: str, right: str) -> None:
    @tool(effect="pure")
    def echo() -> int:
        """Echo."""
        return 1

    with pytest.raises(UnknownTool) as unknown:
        Catalogue([echo]).find(wrong)
    assert right in unknown.value.suggestions
    assert f"did you mean {unknown.value.suggestions[0]}" in str(unknown.value)


def test_a_name_like_nothing_gets_no_suggestion() -> None:
    with pytest.raises(UnknownTool, match=r"there is no tool 'qqqqqqqq\.zzzzzzzz'$"):
        Catalogue().find("qqqqqqqq.zzzzzzzz")
    with pytest.raises(UnknownTool):
        Catalogue().connector("qqqqqqqq")


ACME = """
from drawloom.sdk import Connector

connector = Connector("acme")


@connector.tool(effect="read")
async def ping() -> str:
    \"\"\"Say pong.\"\"\"
    return "pong"
"""
ENTRIES = """
[drawloom.connectors]
acme = acme_for_tests:connector
wrong = json:loads
core = json:loads
"""


def test_other_distributions_bring_connectors_by_entry_point(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A distribution as an installer leaves it: a module, and its metadata beside it."""
    about = tmp_path / "acme_for_tests-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-for-tests\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(ENTRIES)
    (tmp_path / "acme_for_tests.py").write_text(ACME)
    monkeypatch.syspath_prepend(tmp_path)
    found = Catalogue()
    assert found.find("acme.ping").summary == "Say pong."
    assert found.find("core.transform").name == "core.transform"  # ours is not replaced
    with pytest.raises(TypeError, match="wrong"):
        found.connector("wrong")
    assert found.about("acme") == {"title": "acme"}
    assert found.about("core")["title"]
