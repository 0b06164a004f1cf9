"""The SDK's contract for this connector; and that each clause of it can be broken."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drawloom.connectors.databases.sqlite import connector as sqlite
from drawloom.sdk import Connector, tool
from drawloom.sdk.contract import ConnectorContract, call_checked


class TestContract(ConnectorContract):
    connector = sqlite


GOOD = {
    "__init__.py": '"""Greets."""\nfrom planted.tools import connector\n',
    "tools.py": """
from contextlib import asynccontextmanager
from drawloom.errors import FailureKind
from drawloom.sdk import Connection, Connector, Secret

class Settings(Connection):
    password: Secret | None = None

    def open(self, doors):
        raise NotImplementedError

FAULTS = {"builtins.KeyError": FailureKind.MISSING}
connector = Connector("planted", Settings, FAULTS)

@connector.tool(effect="read")
def greet(client, name: str) -> str:
    "Greet somebody."
    return name
""",
    "connector.toml": 'title = "P"\ncategory = "c"\nicon = "i"\nrequires = ["apsw>=3"]\n',
    "README.md": "# Planted\n\n`planted.greet`\n",
    "examples/a.yaml": "chain: a\nsteps: {s: {use: planted.greet, with: {name: x}}}\n",
}

# clause, file, what stands there, what is planted instead
BREACHES = [
    ("package_exports_the_connector", "__init__.py", '"""Greets."""\n', ""),
    ("tools_are_documented", "tools.py", "Greet somebody.", "Greet " + "x" * 200),
    ("signatures_are_annotated", "tools.py", "name: str", "name"),
    (
        "schemas_are_valid",
        "tools.py",
        "    return name",
        ("    return name\ngreet.input_schema = {'type': 'array', 'additionalProperties': False}"),
    ),
    (
        "schemas_are_valid",
        "tools.py",
        "    return name",
        ("    return name\ngreet.output_schema = {'type': 'no such type'}"),
    ),
    ("effects_are_declared", "tools.py", "    return name", "    return name\ngreet.effect = 'x'"),
    (
        "imports_without_the_vendor_library",
        "tools.py",
        "from contextlib",
        "import apsw\nfrom contextlib",
    ),
    ("metadata_is_complete", "connector.toml", 'icon = "i"', 'icon = ""'),
    ("readme_names_every_tool", "README.md", "planted.greet", "planted.greeting"),
    ("faults_are_named_by_dotted_name", "tools.py", "builtins.KeyError", "KeyError"),
    ("faults_are_there", "tools.py", "builtins.KeyError", "builtins.KeyErorr"),
    ("faults_are_there", "tools.py", "builtins.KeyError", "builtins.int"),
    ("faults_are_there", "tools.py", "builtins.KeyError", "os.error"),
    (
        "settings_keep_secrets_by_reference",
        "tools.py",
        "password: Secret | None",
        "password: str | None",
    ),
    (
        "secrets_are_never_shown",
        "tools.py",
        "    def open",
        ("    def __str__(self):\n        return self.password.open_secret()\n\n    def open"),
    ),
    ("connection_can_be_opened", "tools.py", "    def open", "    def opened"),
    ("examples_name_known_tools", "examples/a.yaml", "planted.greet", "other.greet"),
    ("examples_name_known_tools", "examples/a.yaml", "chain: a", "change: a"),
]


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Write a connector to a folder of its own and give the contract for it."""

    def make(files: dict[str, str]) -> ConnectorContract:
        for name, text in files.items():
            path = tmp_path / "planted" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        contract = ConnectorContract()
        tools = importlib.import_module("planted.tools")
        contract.connector = tools.connector  # type: ignore[misc]
        return contract

    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    yield make
    for name in [name for name in sys.modules if name.partition(".")[0] == "planted"]:
        del sys.modules[name]


def check(contract: ConnectorContract, clause: str, monkeypatch: pytest.MonkeyPatch) -> None:
    method = getattr(contract, f"test_{clause}")
    method(monkeypatch) if "monkeypatch" in method.__code__.co_varnames else method()


CLAUSES = sorted(name[5:] for name in vars(ConnectorContract) if name.startswith("test_"))


def test_every_clause_is_broken_below() -> None:
    assert sorted({clause for clause, *_ in BREACHES}) == CLAUSES


@pytest.mark.parametrize("clause", CLAUSES)
def test_a_good_connector_keeps_it(clause: str, plant: Any, monkeypatch: Any) -> None:
    check(plant(GOOD), clause, monkeypatch)


@pytest.mark.parametrize(("clause", "file", "good", "bad"), BREACHES)
def test_a_breach_is_found(
    clause: str, file: str, good: str, bad: str, plant: Any, monkeypatch: Any
) -> None:
    assert good in GOOD[file]
    contract = plant({**GOOD, file: GOOD[file].replace(good, bad, 1)})
    with pytest.raises((AssertionError, TypeError)):
        check(contract, clause, monkeypatch)


async def test_a_tool_that_changes_its_input_is_found() -> None:
    @tool(effect="pure")
    def sort(values: list[int]) -> list[int]:
        """Sort in place."""
        values.sort()
        return values

    assert await call_checked(sort, values=[1, 2]) == [1, 2]
    with pytest.raises(AssertionError, match="changed its own input"):
        await call_checked(sort, values=[2, 1])


async def test_an_output_that_breaks_its_schema_is_found() -> None:
    @tool(effect="pure")
    def lie() -> int:
        """Say a word."""
        return "word"  # type: ignore[return-value]

    with pytest.raises(Exception, match="is not of type"):
        await call_checked(lie)


def test_a_connector_without_tools_is_none() -> None:
    contract = ConnectorContract()
    contract.connector = Connector("empty")  # type: ignore[misc]
    with pytest.raises(AssertionError, match="no tools"):
        contract.test_tools_are_documented()
